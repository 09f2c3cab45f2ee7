# Every image for both processors, to be run at the top of the repository:
#
#   REGISTRY=registry.example.com/segue/ VERSION=1.2.3 docker buildx bake -f deploy/docker/docker-bake.hcl --push
#
# Each platform is compiled as itself. A builder with a node of each kind does that at full speed; emulated, it takes hours.

variable "REGISTRY" {
  default = "segue/"
}

variable "VERSION" {
  default = "dev"
}

variable "REVISION" {
  default = "unknown"
}

group "default" {
  targets = ["image"]
}

target "image" {
  name = service
  matrix = {
    service = [
      "upload-api",
      "transcode-worker",
      "transcoder",
      "notification-ingest",
      "messages-api",
      "local-cloud",
      "segue",
    ]
  }
  context    = "."
  dockerfile = "deploy/docker/Dockerfile"
  target     = service
  platforms  = ["linux/amd64", "linux/arm64"]
  tags       = ["${REGISTRY}${service}:${VERSION}"]
  args = {
    VERSION  = VERSION
    REVISION = REVISION
  }
}
