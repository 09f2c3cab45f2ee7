//! The SNS envelope and the checking of its signature. Usable without the rest of the project.
