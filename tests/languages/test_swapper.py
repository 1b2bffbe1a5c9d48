"""k8s-image-swapper: its one target, and all that it does beside naming images."""

from __future__ import annotations

import pytest

from tests.languages.answers import names, notes, places, refused, text, whys
from transformer.languages.model import Text
from transformer.languages.swapper import read, recognises

AWS = "target:\n  aws:\n    accountId: 123456789\n    region: ap-southeast-2\n"
GCP = "target:\n  type: gcp\n  gcp:\n    location: us\n    projectId: proj\n    repositoryId: main\n"
ECR, GAR = "123456789.dkr.ecr.ap-southeast-2.amazonaws.com", "us-docker.pkg.dev/proj/main"


def said(content: str):
    return read((text(content),))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("target: hunter2", 1, "target: wants a mapping"),
        ("target: {aws: [x]}", 1, "target.aws: wants a mapping"),
        ("target: {aws: {region: eu}}", 1, "wants a text under 'accountId'"),
        ("target: {aws: {accountId: 1}}", 1, "wants a text under 'region'"),
        ("target: {aws: {accountId: [1], region: eu}}", 1, "accountId: wants a text"),
        ("target: {aws: {accountId: 'u:hunter2@x', region: eu}}", 1, "neither a login"),
        ("target: {aws: {accountId: '{registry}', region: eu}}", 1, "braces"),
        ("target: {type: gcp, gcp: {location: us}}", 1, "wants a text under 'projectId'"),
        ("target: {type: gcp, gcp: {location: us, projectId: A, repositoryId: b}}", 1, "lower case"),
        ("target: {type: quay}", 1, "wants aws or gcp"),
        (AWS + "imageSwapPolicy: sometimes", 5, "wants exists or always"),
        (AWS + "source: {filters: x}", 5, "filters: wants a list of mappings"),
        (AWS + "source: [x]", 5, "source: wants a mapping"),
    ],
)
def test_a_bad_text_is_refused_with_line_and_key(content, line, words):
    error = refused(read, content)
    assert error.line == line
    with pytest.raises(type(error), match=words):
        raise error
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ("dryRun: true", "dryRun", "write: source"),
        ("imageCopyPolicy: delayed", "imageCopyPolicy", "copies none"),
        ("imageCopyDeadline: 8s", "imageCopyDeadline", "copies none"),
        ("source: {filters: [{jmespath: obj.x}]}", "source.filters[0].jmespath", "JMESPath"),
        ("source: {registries: [{type: aws}]}", "source.registries", "log in"),
        ("source: {filter: []}", "source.filter", "'filters'"),
        ("imageSwapPolcy: exists", "imageSwapPolcy", "'imageSwapPolicy'"),
    ],
)
def test_what_it_does_besides_is_noted(more, key, words):
    found = said(f"{AWS}{more}\n")
    assert notes(found) == [(5, key)]
    assert words in whys(found)


def test_a_target_that_makes_repositories_and_logs_in_says_so():
    found = said(AWS + "    role: arn:x\n    ecrOptions: {tags: []}\n    ecroptions: x\n")
    assert {key for _, key in notes(found)} == {f"target.aws.{key}" for key in ("role", "ecrOptions", "ecroptions")}
    assert "arn:x" not in str(found)


@pytest.mark.parametrize("content", ["logLevel: debug\n", "target: {aws: }\n", "target: {gcp: }\ndryRun: false\n"])
def test_without_a_target_nothing_is_swapped_and_that_is_said(content):
    found = said(content)
    assert found.mirrors == ()
    assert "no target" in whys(found)


@pytest.mark.parametrize(
    ("content", "target"),
    [
        (AWS, ECR),
        (AWS.replace("ap-southeast-2", "cn-north-1"), "123456789.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        (GCP, GAR),
        (GCP.replace("  type: gcp\n", ""), GAR),
        ("config:\n" + "".join(f"  {line}\n" for line in AWS.splitlines()), ECR),
        (AWS.replace("target:\n", "target:\n  type: AWS\n"), ECR),
    ],
)
def test_every_image_goes_under_the_target_with_its_registry(content, target):
    found = said(content)
    assert places(found) == {"*": [f"{target}/{{registry}}/{{repository}}"], target: [target]}
    assert names(found, "nginx:1") == [f"{target}/docker.io/library/nginx:1"]
    assert names(found, "ghcr.io/a/b:1") == [f"{target}/ghcr.io/a/b:1"]


@pytest.mark.parametrize("image", [f"{ECR}/docker.io/library/nginx:1", f"{ECR}/own:1"])
def test_what_lies_there_stays(image):
    assert names(said(AWS), image) in (None, [image])


@pytest.mark.parametrize(("policy", "fallback"), [("", "source"), ("exists", "source"), ("always", "fail")])
def test_the_swap_policy_is_the_fallback(policy, fallback):
    found = said(AWS + (f"imageSwapPolicy: {policy}\n" if policy else ""))
    assert found.mirrors[0].fallback == fallback


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        (".k8s-image-swapper.yaml", "", True),
        ("x.yaml", "imageSwapPolicy: exists\n" + AWS, True),
        ("x.yaml", "imageCopyPolicy: none\n" + AWS, True),
        ("x.yaml", AWS, False),
        ("x.yaml", "imageSwapPolicy: exists\n", False),
    ],
)
def test_it_is_recognised(name, content, known):
    assert recognises(Text(name, content)) is known
