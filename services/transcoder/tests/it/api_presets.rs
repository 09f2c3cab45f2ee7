//! Custom presets, from being made to being used.

use aws_sdk_elastictranscoder::error::ProvideErrorMetadata;
use aws_sdk_elastictranscoder::types::{AudioCodecOptions, AudioParameters, VideoParameters};
use testing::{TestDatabase, databases, media};
use transcoder::Quotas;

use crate::support::{Service, WAV, api_only, api_with, output, service};

fn flac() -> AudioParameters {
    let options = AudioCodecOptions::builder().bit_depth("24").build();
    AudioParameters::builder().codec("flac").sample_rate("48000").channels("1").codec_options(options).build()
}

async fn make(service: &Service, name: &str) -> String {
    let create = service.client.create_preset().name(name).description("mono").container("flac").audio(flac());
    let reply = create.send().await.unwrap();
    assert_eq!(reply.warning(), Some(""));
    reply.preset.unwrap().id.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_is_made_read_and_deleted() {
    for database in databases().await {
        let service = api_only(database).await;
        let id = make(&service, "mine").await;
        let read = service.client.read_preset().id(&id).send().await.unwrap().preset.unwrap();
        assert_eq!((read.r#type(), read.name(), read.description()), (Some("Custom"), Some("mine"), Some("mono")));
        assert_eq!((read.container(), read.audio(), read.video()), (Some("flac"), Some(&flac()), None));
        let arn = format!("arn:aws:elastictranscoder:us-east-1:000000000000:preset/{id}");
        assert_eq!(read.arn(), Some(arn.as_str()));
        service.client.delete_preset().id(&id).send().await.unwrap();
        let gone = service.client.read_preset().id(&id).send().await.unwrap_err();
        assert!(gone.into_service_error().is_resource_not_found_exception());
        let again = service.client.delete_preset().id(&id).send().await.unwrap_err();
        assert!(again.into_service_error().is_resource_not_found_exception());
        let pipeline = service.pipeline().await;
        let input = aws_sdk_elastictranscoder::types::JobInput::builder().key("a").build();
        let create = service.client.create_job().pipeline_id(&pipeline).input(input).output(output("a.flac", &id));
        assert!(create.send().await.unwrap_err().into_service_error().is_resource_not_found_exception());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_presets_are_listed_behind_the_system_ones() {
    for database in databases().await {
        let service = api_only(database).await;
        let mut made = Vec::new();
        for number in 0..51 {
            made.push(make(&service, &number.to_string()).await);
        }
        made.sort();
        for ascending in ["true", "false"] {
            let pages =
                service.client.list_presets().ascending(ascending).into_paginator().send().try_collect().await.unwrap();
            let sizes: Vec<_> = pages.iter().map(|page| page.presets().len()).collect();
            assert_eq!(sizes, [50, 50, 13]);
            let ids: Vec<_> = pages.iter().flat_map(|page| page.presets()).map(|one| one.id().unwrap()).collect();
            assert!(if ascending == "true" { ids.is_sorted() } else { ids.iter().rev().is_sorted() });
            let custom = if ascending == "true" { &ids[62..] } else { &ids[..51] };
            assert!(made.iter().all(|id| custom.contains(&id.as_str())));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_is_checked_and_warned_of() {
    let service = api_only(TestDatabase::sqlite()).await;
    let wrong = service.client.create_preset().name("p").container("mp3").audio(flac()).send().await.unwrap_err();
    assert_eq!(wrong.raw_response().unwrap().status().as_u16(), 400);
    assert_eq!(wrong.message(), Some("The container mp3 does not take the audio codec flac."));
    assert!(wrong.into_service_error().is_validation_exception());
    let video = VideoParameters::builder().codec("H.264").codec_options("Profile", "main").codec_options("Level", "3");
    let video = video.max_width("1920").max_height("1080").bit_rate("20000").build();
    let made = service.client.create_preset().name("v").container("mp4").video(video.clone()).send().await.unwrap();
    let warning = made.warning().unwrap();
    assert!(warning.contains("level 3 of H.264") && warning.contains("BitRate 20000"), "{warning}");
    let preset = made.preset.unwrap();
    assert_eq!(preset.video(), Some(&video), "a preset is kept as it was sent");
    let pipeline = service.pipeline().await;
    let input = aws_sdk_elastictranscoder::types::JobInput::builder().key("a").build();
    let create = service.client.create_job().pipeline_id(&pipeline).input(input);
    let refused = create.output(output("a.mp4", preset.id().unwrap())).send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("Video is not supported yet"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_most_of_presets() {
    let service = api_with(TestDatabase::sqlite(), Quotas { presets: 1, ..Quotas::default() }).await;
    let id = make(&service, "one").await;
    let create = service.client.create_preset().name("two").container("flac").audio(flac());
    let refused = create.clone().send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 429);
    assert!(refused.into_service_error().is_limit_exceeded_exception());
    service.client.delete_preset().id(id).send().await.unwrap();
    create.send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_done_as_its_custom_preset_says_even_if_that_is_deleted_meanwhile() {
    for database in databases().await {
        let service = service(database).await;
        let directory = tempfile::tempdir().unwrap();
        service.put_file("media/a", &media::mp3(directory.path(), 1.0)).await;
        let pipeline = service.pipeline().await;
        let preset = make(&service, "mine").await;
        service.client.update_pipeline_status().id(&pipeline).status("Paused").send().await.unwrap();
        let outputs = vec![output("a.flac", &preset), output("a.wav", WAV)];
        let job = service.create_job(&pipeline, "media/a", outputs).await;
        service.client.delete_preset().id(&preset).send().await.unwrap();
        service.client.update_pipeline_status().id(&pipeline).status("Active").send().await.unwrap();
        let job = service.ended(job.id().unwrap()).await;
        assert_eq!(job.status(), Some("Complete"), "{job:?}");
        let (path, _) = service.get("transcoded/a.flac", directory.path()).await;
        let probed = media::probe(&path);
        let stream = &probed["streams"][0];
        assert_eq!((stream["codec_name"].as_str(), stream["sample_rate"].as_str()), (Some("flac"), Some("48000")));
        assert_eq!((&stream["channels"], &stream["bits_per_raw_sample"]), (&1.into(), &"24".into()));
    }
}
