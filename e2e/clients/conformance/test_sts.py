"""STS: who am I?"""

from .conftest import code, moto_differs


def test_the_caller(cloud):
    identity = cloud.client("sts").get_caller_identity()
    assert len(identity["Account"]) == 12
    assert identity["Arn"].startswith(f"arn:aws:") and identity["Account"] in identity["Arn"]


@moto_differs("a request with a wrong secret is refused with SignatureDoesNotMatch")
def test_a_wrong_secret(cloud):
    assert code(cloud.client("sts", secret="wrong-secret").get_caller_identity) == "SignatureDoesNotMatch"
