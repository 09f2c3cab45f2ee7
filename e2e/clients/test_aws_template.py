"""deploy/aws/messaging.yaml: moto makes what CloudFormation would, and the services run on those very resources.

moto's CloudFormation passes over two kinds, subscriptions and policies of queues: these are made here, from what the
template says of them."""

import collections
import json
import os
import pathlib
import re
import socket
import subprocess

import boto3
import cfnlint.decode
import pytest
import requests
from botocore.config import Config
from conftest import ROOT, SEGUE, eventually
from conformance.conftest import start_moto

AWS = ROOT / "deploy" / "aws"
KEY = "AKIATEMPLATE"
SECRET = "a-secret-of-this-test"


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Account:
    """An account of moto's, and programs that use it."""

    def __init__(self, endpoint):
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SEGUE_"))},
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "SEGUE_BUCKET": "the-media",
            "SEGUE_TRANSCODER_SHARE_BUCKET": "the-share",
        }
        self.endpoint = endpoint
        self.processes = []

    def client(self, service):
        config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET, config=config)

    def deploy(self):
        names = {"MediaBucketName": "the-media", "ShareBucketName": "the-share"}
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in names.items()]
        template = (AWS / "messaging.yaml").read_text()
        cloud = self.client("cloudformation")
        cloud.create_stack(StackName="messaging", TemplateBody=template, Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
        assert cloud.describe_stacks(StackName="messaging")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
        made = cloud.list_stack_resources(StackName="messaging")["StackResourceSummaries"]
        self.add_what_moto_passes_over({found["LogicalResourceId"]: found["PhysicalResourceId"] for found in made})

    def add_what_moto_passes_over(self, made):
        sqs, sns = self.client("sqs"), self.client("sns")

        def resolve(value):
            match value:
                case {"Ref": name}:
                    return made[name]
                case {"Fn::GetAtt": [name, "Arn"]}:
                    return sqs.get_queue_attributes(QueueUrl=made[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
                case dict():
                    return {key: resolve(inner) for key, inner in value.items()}
                case list():
                    return [resolve(inner) for inner in value]
            return value

        template, problems = cfnlint.decode.decode(str(AWS / "messaging.yaml"))
        assert not problems
        for resource in template["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::SQS::QueuePolicy":
                policy = json.dumps(resolve(properties["PolicyDocument"]))
                for url in resolve(properties["Queues"]):
                    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            if resource["Type"] == "AWS::SNS::Subscription":
                raw = {"RawMessageDelivery": "true"} if properties.get("RawMessageDelivery") else {}
                endpoint = resolve(properties["Endpoint"])
                sns.subscribe(TopicArn=resolve(properties["TopicArn"]), Protocol=properties["Protocol"], Endpoint=endpoint, Attributes=raw)

    def run(self, binary, *words, **settings):
        command = [SEGUE.with_name(binary), *words]
        return subprocess.run(command, env={**self.environment, **settings}, check=True, capture_output=True, text=True).stdout

    def start(self, binary, *words, **settings):
        address = free_address()
        environment = {**self.environment, "SEGUE_LISTEN": address, **settings}
        self.processes.append(subprocess.Popen([SEGUE.with_name(binary), *words], env=environment))
        return f"http://{address}"

    @staticmethod
    def is_ready(url):
        try:
            return requests.get(f"{url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)

    def everything(self):
        """Queues with what matters of their attributes, topics, subscriptions, buckets."""
        sqs, sns = self.client("sqs"), self.client("sns")
        queues = {}
        for url in sqs.list_queues().get("QueueUrls", []):
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            wanted = ("RedrivePolicy", "MessageRetentionPeriod", "VisibilityTimeout")
            # Of a policy only who may send: its form is each maker's own.
            sender = re.findall(r"arn:aws:sns:[^\"]+", attributes.get("Policy", ""))
            redrive = {name: attributes[name].replace(" ", "") for name in wanted if name in attributes}
            queues[url.rsplit("/", 1)[1]] = (redrive.get("MessageRetentionPeriod"), "RedrivePolicy" in redrive, tuple(sender))
        subscriptions = set()
        for found in sns.list_subscriptions()["Subscriptions"]:
            raw = sns.get_subscription_attributes(SubscriptionArn=found["SubscriptionArn"])["Attributes"].get("RawMessageDelivery", "false")
            subscriptions.add((found["TopicArn"], found["Protocol"], found["Endpoint"], raw.lower()))
        topics = {topic["TopicArn"] for topic in sns.list_topics()["Topics"]}
        buckets = {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}
        return {"queues": queues, "subscriptions": subscriptions, "topics": topics, "buckets": buckets}


@pytest.fixture
def account(tmp_path):
    moto = start_moto((tmp_path / "moto.log").open("w"))
    account = Account(moto.endpoint)
    yield account
    account.stop()
    moto.stop()


def test_the_templates_pass_the_linter():
    templates = sorted(AWS.glob("*.yaml"))
    linter = pathlib.Path(os.environ.get("VIRTUAL_ENV", ROOT / ".venv")) / "bin" / "cfn-lint"
    done = subprocess.run([linter, *templates], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_provisioning_makes_just_what_the_template_makes(account):
    provisioning = ["provision", "--skip-pipeline"]
    account.run("segue", *provisioning)
    by_command = account.everything()
    requests.post(f"{account.endpoint}/moto-api/reset").raise_for_status()
    account.deploy()
    by_template = account.everything()
    assert by_command == by_template
    account.run("segue", *provisioning)
    assert account.everything() == by_template, "provisioning over the template changes nothing"


def test_no_policy_gives_more_than_was_named(account):
    """A star stands behind a prefix of keys, nowhere else."""
    account.deploy()
    iam = account.client("iam")
    policies = [policy for policy in iam.list_policies(Scope="Local")["Policies"]]
    assert len(policies) == 6
    for policy in policies:
        document = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]["Document"]
        for statement in document["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            assert "*" not in "".join([actions] if isinstance(actions, str) else actions)
            for resource in [resources] if isinstance(resources, str) else resources:
                assert re.fullmatch(r"arn:aws:s3:::[a-z-]+(/([a-z]+/)?\*)?|arn:aws:s[qn]s:[a-z0-9:-]+", resource), resource


def test_the_services_run_on_what_the_template_makes(account, mp3, tmp_path):
    account.deploy()
    issuer = account.start("segue", "issuer", SEGUE_DATA_DIR=str(tmp_path / "issuer"))
    tokens = {"SEGUE_JWKS_URL": f"{issuer}/.well-known/jwks.json", "SEGUE_JWT_ISSUER": "segue-local"}

    def database(name):
        return {"SEGUE_DATABASE_URL": f"sqlite://{tmp_path}/{name}.sqlite"}

    transcoder = account.start("transcoder", **database("transcoder"), SEGUE_ACCESS_KEYS=f"{KEY}:{SECRET}", SEGUE_SCRATCH_DIR=str(tmp_path / "scratch"))
    account.environment["AWS_ENDPOINT_URL_ELASTIC_TRANSCODER"] = transcoder
    eventually(lambda: account.is_ready(transcoder))
    before = account.everything()
    account.run("segue", "provision")
    assert account.everything() == before, "all that was missing is the pipeline"
    account.start("transcode-worker", **database("worker"))
    account.start("notification-ingest", **database("ingest"), **tokens)
    messages = account.start("messages-api", **database("messages"), **tokens)
    uploads = account.start("upload-api", **database("uploads"), **tokens)
    for url in (messages, uploads):
        eventually(lambda: account.is_ready(url))

    session = requests.Session()
    token = account.run("segue", "token", "alice", SEGUE_DATA_DIR=str(tmp_path / "issuer")).strip()
    session.headers["Authorization"] = f"Bearer {token}"
    with open(mp3, "rb") as body:
        answer = session.post(f"{uploads}/v1/files", files={"file": ("song.mp3", body, "audio/mpeg")})
    assert answer.status_code == 201, answer.text
    notices = eventually(lambda: session.get(f"{messages}/v1/messages").json()["items"])
    assert [notice["text"] for notice in notices] == ["Your file song.mp3 has been processed"]
    file = session.get(uploads + answer.headers["Location"]).json()
    assert file["state"] == "complete", file
    sizes = collections.Counter(found["Key"].split("/")[0] for found in account.client("s3").list_objects_v2(Bucket="the-media")["Contents"])
    assert sizes == {"media": 1, "transcoded": 3}
