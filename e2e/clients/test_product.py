"""The product, by plain HTTP and by a JWT library that is not ours."""

import jwt
import requests
from conftest import eventually


def test_from_an_upload_to_a_notice(segue, mp3):
    session = segue.session("alice")
    with open(mp3, "rb") as body:
        answer = session.post(f"{segue.url}/v1/files", files={"file": ("song.mp3", body, "audio/mpeg")})
    assert answer.status_code == 201, answer.text
    url = segue.url + answer.headers["Location"]

    def complete():
        file = session.get(url).json()
        return file if file["state"] in ("complete", "error") else None

    file = eventually(complete)
    assert file["state"] == "complete", file
    for output in file["outputs"]:
        link = session.get(f"{url}/outputs/{output['name']}", allow_redirects=False)
        assert link.status_code == 307
        # The link works by itself, without a token.
        download = requests.get(link.headers["Location"])
        assert download.status_code == 200 and len(download.content) == output["size"]
    notices = eventually(lambda: session.get(f"{segue.url}/v1/messages").json()["items"])
    assert [notice["text"] for notice in notices] == ["Your file song.mp3 has been processed"]
    assert segue.session("bob").get(f"{segue.url}/v1/messages").json()["items"] == []


def test_a_token_verifies_against_the_published_keys(segue):
    keys = jwt.PyJWKClient(f"{segue.url}/.well-known/jwks.json")
    token = segue.token("alice")
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key.key, algorithms=["ES256"], audience="segue", issuer="segue-local")
    assert claims["sub"] == "alice"
