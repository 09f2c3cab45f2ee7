//! Channels and rates that a preset leaves to the input, and settings that no coder has.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::builders::AudioParametersBuilder;
use aws_sdk_elastictranscoder::types::{AudioCodecOptions, AudioParameters, JobInput};
use testing::{TestDatabase, media};

use crate::support::{Service, WAV, api_only, output, service};

const CODERS: [(&str, &str); 7] = [
    ("wav", "pcm"),
    ("flac", "flac"),
    ("mp4", "AAC"),
    ("mp3", "mp3"),
    ("mp2", "mp2"),
    ("ogg", "vorbis"),
    ("oga", "flac"),
];

fn audio(codec: &str) -> AudioParametersBuilder {
    let bit_rate = (!matches!(codec, "pcm" | "flac")).then(|| "192".to_owned());
    AudioParameters::builder().codec(codec).set_bit_rate(bit_rate)
}

/// The rate and channels of what each coder makes when both are left to the input.
async fn auto(service: &Service, directory: &std::path::Path, source: &str) -> Vec<(u32, u64)> {
    service.put_file("media/a", &media::make(directory, "a.wav", source)).await;
    let mut outputs = Vec::new();
    for (container, codec) in CODERS {
        let preset = service.preset(container, audio(codec).sample_rate("auto").channels("auto").build()).await;
        outputs.push(output(container, &preset));
    }
    let (keys, pipeline) = (CODERS.map(|(container, _)| container), service.pipeline().await);
    let job = service.create_job(&pipeline, "media/a", outputs).await;
    let job = service.ended(job.id().unwrap()).await;
    assert_eq!(job.status(), Some("Complete"), "{source}: {job:?}");
    let mut made = Vec::new();
    for key in keys {
        let key = format!("transcoded/{key}");
        let stream = media::probe(&service.get(&key, directory).await.0)["streams"][0].clone();
        let rate = stream["sample_rate"].as_str().unwrap().parse().unwrap();
        made.push((rate, stream["channels"].as_u64().unwrap()));
        service.world.aws().s3.delete_object().bucket(service.world.bucket()).key(key).send().await.unwrap();
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_coder_cannot_hold_becomes_the_most_that_it_can() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let of = async |rate: u32, layout: &str| {
        let source = format!("-f lavfi -i anoisesrc=r={rate}:d=0.3,aformat=channel_layouts={layout} -c:a pcm_s16le");
        auto(&service, directory.path(), &source).await
    };
    let made = of(48_000, "mono").await;
    assert_eq!(made, [(48_000, 1); 7]);
    let rates = |made: Vec<(u32, u64)>| made.into_iter().map(|(rate, _)| rate).collect::<Vec<_>>();
    let channels = |made: Vec<(u32, u64)>| made.into_iter().map(|(_, channels)| channels).collect::<Vec<_>>();
    // In the order of CODERS: pcm, flac, AAC, mp3, mp2, vorbis, flac.
    assert_eq!(channels(of(48_000, "5.1").await), [6, 6, 6, 2, 2, 6, 6]);
    assert_eq!(channels(of(44_100, "7.1").await), [8, 8, 8, 2, 2, 6, 8]);
    assert_eq!(channels(of(44_100, "hexadecagonal").await), [8, 8, 8, 2, 2, 6, 8]);
    assert_eq!(rates(of(192_000, "stereo").await), [192_000, 192_000, 96_000, 48_000, 48_000, 48_000, 192_000]);
    assert_eq!(rates(of(37_800, "mono").await), [37_800, 37_800, 32_000, 32_000, 32_000, 44_100, 37_800]);
    // Layer II has no 192 kb/s at so low a rate, nor has vorbis.
    assert_eq!(rates(of(11_025, "stereo").await), [11_025, 11_025, 11_025, 11_025, 32_000, 44_100, 11_025]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_channels_of_one_are_alike() {
    let service = service(TestDatabase::sqlite()).await;
    let directory = tempfile::tempdir().unwrap();
    let mono = media::make(directory.path(), "a.wav", "-f lavfi -i anoisesrc=r=44100:d=0.3 -ac 1");
    service.put_file("media/a", &mono).await;
    let pipeline = service.pipeline().await;
    let job = service.create_job(&pipeline, "media/a", vec![output("a.wav", WAV)]).await;
    service.ended(job.id().unwrap()).await;
    let samples = media::samples(&service.get("transcoded/a.wav", directory.path()).await.0);
    assert_eq!(samples.len(), 13_230 * 4);
    assert!(samples.chunks_exact(4).all(|both| both[..2] == both[2..]));
    assert!(samples.iter().any(|&byte| byte != 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_coder_has_is_refused_by_name() {
    let service = api_only(TestDatabase::sqlite()).await;
    let pipeline = service.pipeline().await;
    let profile = |name: &str| AudioCodecOptions::builder().profile(name).build();
    for (container, audio, named) in [
        ("wav", audio("pcm").channels("0"), "Audio.Channels 0"),
        ("mp4", audio("AAC").codec_options(profile("HE-AAC")), "Profile HE-AAC needs an ffmpeg with libfdk_aac"),
        ("mp4", audio("AAC").codec_options(profile("HE-AACv2")), "Profile HE-AACv2 needs an ffmpeg with libfdk_aac"),
        ("mp3", audio("mp3").sample_rate("96000"), "no Audio.SampleRate 96000 with Audio.Codec mp3"),
        ("mp4", audio("AAC").sample_rate("192000"), "no Audio.SampleRate 192000"),
        ("mp2", audio("mp2").sample_rate("22050"), "Audio.SampleRate 22050 with Audio.Codec mp2 and Audio.BitRate 192"),
        ("mp2", audio("mp2").bit_rate("100"), "no Audio.BitRate 100"),
        ("ogg", audio("vorbis").bit_rate("320").channels("1"), "at most 240 for Audio.BitRate with Audio.Channels 1"),
    ] {
        let preset = service.preset(container, audio.build()).await;
        let input = JobInput::builder().key("a").build();
        let create = service.client.create_job().pipeline_id(&pipeline).input(input).output(output("b", &preset));
        let refused = create.send().await.unwrap_err();
        let message = refused.message().unwrap().to_owned();
        assert!(message.starts_with("PresetId: ") && message.contains(named), "{message}");
        assert!(refused.into_service_error().is_validation_exception(), "{named}");
    }
}
