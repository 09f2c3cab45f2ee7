//! Master playlists over several outputs.

use serde::{Deserialize, Serialize};

/// A playlist as requested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CreateJobPlaylist {
    pub name: Option<String>,
    pub format: Option<String>,
    pub output_keys: Option<Vec<String>>,
    pub hls_content_protection: Option<HlsContentProtection>,
    pub play_ready_drm: Option<PlayReadyDrm>,
}

/// A playlist as replies show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Playlist {
    pub name: Option<String>,
    pub format: Option<String>,
    pub output_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hls_content_protection: Option<HlsContentProtection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play_ready_drm: Option<PlayReadyDrm>,
    pub status: Option<String>,
    pub status_detail: Option<String>,
}

/// HLS encryption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct HlsContentProtection {
    pub method: Option<String>,
    pub key: Option<String>,
    pub key_md5: Option<String>,
    pub initialization_vector: Option<String>,
    pub license_acquisition_url: Option<String>,
    pub key_storage_policy: Option<String>,
}

/// PlayReady protection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct PlayReadyDrm {
    pub format: Option<String>,
    pub key: Option<String>,
    pub key_md5: Option<String>,
    pub key_id: Option<String>,
    pub initialization_vector: Option<String>,
    pub license_acquisition_url: Option<String>,
}
