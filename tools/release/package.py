"""Builds what is deployed: one finished zip for every function and one CloudFormation template.

    python -m tools.release.package --stage dev

Chalice describes the functions, roles and the API; ``infra/`` adds the stack around them; this tool finishes both. The
zip holds only what ``requirements.txt`` names, as wheels for Lambda's platform, with byte code that is never checked
against its source and with botocore's data cut to the services we call. The same source gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.runtime import names
from infra import functions, limits, policies, runtimes, seen, settings_of, shift, stack
from infra import names as installations
from infra.runtimes import RUNTIMES, Runtime
from tools.release import interpreters
from tools.release.interpreters import Interpreter

Json = dict[str, Any]
ROOT = stack.ROOT
BUILD = ROOT / ".build"
CONSTRAINTS = ROOT / "infra" / "constraints.txt"

SERVICES = ("dynamodb", "s3", "secretsmanager", "sesv2", "sqs", "sts")
"""What the functions call. Nothing else of botocore's data ships; add a service here when one is called."""
DATA_FILES = ("_retry.json", "endpoints.json", "partitions.json", "sdk-default-configuration.json")

LAMBDA = "lambda"
HOST = "host"
TASK_ROOT = "/var/task"
EPOCH = (1980, 1, 1, 0, 0, 0)

JUNK_FOLDERS = {"__pycache__", "tests", "test", "testing", "examples"}
UNUSED = ("pydantic/v1/", "cffi/", "pycparser/", "dateutil/zoneinfo/", "phonenumbers/shortdata/region_")
"""What packages bring and nothing of ours reaches: an old pydantic for old models, cffi's compiler (what it made needs
`_cffi_backend` alone), an archive of time zones, and countries' short numbers, which nobody can be called back on."""
KEPT_OF = {"pyasn1_modules": ("__init__.py", "rfc5280.py")}
"""Packages of which only some modules are reached: of 130 lists of ASN.1 the one that describes certificates."""
JUNK_SUFFIXES = {".pyi", ".typed", ".c", ".h", ".pyx", ".pxd", ".md", ".rst", ".txt", ".pth"}

Say = Callable[[str], None]


class PackageError(Exception):
    """The package could not be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was built."""

    stage: str
    label: str
    zip_path: Path
    template_path: Path
    sha256: str
    zip_bytes: int
    unzipped_bytes: int
    files: int

    @property
    def installation(self) -> str:
        """Return what it is to be called on AWS."""
        return installations.installation(self.stage, self.label)

    @property
    def key(self) -> str:
        """Return the object key of the zip: its content's, so that an unchanged function is not deployed again."""
        return f"{names.PROJECT}/{self.sha256[:32]}.zip"


# Dependencies


def this_interpreter() -> Interpreter:
    """Return the interpreter that runs us."""
    found = interpreters.ask(sys.executable)
    if found is None:
        raise PackageError(f"{sys.executable} is no CPython")
    return found


def _pip_platform(runtime: Runtime) -> list[str]:
    tags = [f"manylinux_2_{number}_x86_64" for number in range(runtime.glibc_minor, 4, -1)]
    tags += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
    major, minor = runtime.version
    return [
        "--implementation", "cp", "--python-version", f"{major}.{minor}", "--abi", f"cp{major}{minor}",
        "--abi", "abi3", "--abi", "none",
        *(part for tag in tags for part in ("--platform", tag)),
    ]  # fmt: skip


def dependencies(platform: str, say: Say, python: Interpreter) -> Path:
    """Return a folder with the trimmed and compiled packages, from ``.build`` if nothing changed."""
    wanted = hashlib.sha256(
        b"\n".join(
            [
                (ROOT / "requirements.txt").read_bytes(),
                CONSTRAINTS.read_bytes(),
                Path(__file__).read_bytes(),
                platform.encode(),
                python.build.encode(),
            ]
        )
    ).hexdigest()[:16]
    folder = BUILD / "packages" / f"{platform}-{wanted}"
    if folder.exists():
        say("packages: unchanged")
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        raw, tree = Path(scratch) / "raw", Path(scratch) / "tree"
        say(f"packages: installing for {platform} (Python {python.tag})")
        install(raw, platform, python)
        say("packages: trimming and compiling")
        for source in _files(raw):
            _take(source, raw, tree)
        _chalice(tree)
        compile_tree(tree, python)
        try:
            tree.rename(folder)
        except OSError:  # Another build was faster.
            if not folder.exists():
                raise
    return folder


def install(target: Path, platform: str, python: Interpreter) -> None:
    """Install the packages as wheels into a folder: for Lambda exactly the files whose digests are written down.

    Raises:
        PackageError: if pip could not, or a file is another one than it was when its digest was written down.
    """
    where = ["--target", str(target), "--no-compile"]
    if platform == LAMBDA:
        unlocked = _pins(ROOT / "requirements.txt") - _pins(CONSTRAINTS)
        if unlocked:
            raise PackageError(
                f"{CONSTRAINTS.name} has not {', '.join(sorted(unlocked))}; "
                "run `python -m tools.release.package --lock`"
            )
        _pip("--require-hashes", "--no-deps", "-r", str(CONSTRAINTS), *where, *_pip_platform(python.runtime))
    else:
        _pip("-r", str(ROOT / "requirements.txt"), *where)


def _pip(*arguments: str) -> str:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
    ]  # fmt: skip
    done = subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise PackageError(f"pip could not install the packages: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _pins(file: Path) -> set[str]:
    """Return ``name==version`` of a requirements file, names as PyPI compares them (PEP 503)."""
    found = (line.split(" ")[0].split(";")[0] for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==") for line in found if "==" in line and not line.startswith("#"))
    return {f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in pairs}


def lock() -> str:
    """Return ``infra/constraints.txt``: every package of the zip at the version that resolves for Lambda now.

    Each has the SHA-256 of its wheel for every runtime that we know of, so that a file that was exchanged behind its
    version is refused (pip's hash-checking mode).
    """
    found: dict[str, set[str]] = {}
    for runtime in RUNTIMES.values():
        options = ("--dry-run", "--ignore-installed", "--report", "-", *_pip_platform(runtime))
        # Into a folder that is never made: pip resolves for another platform for a target only.
        report = json.loads(_pip("-r", str(ROOT / "requirements.txt"), "--target", str(BUILD / "none"), *options))
        for one in report["install"]:
            pin = f"{one['metadata']['name'].lower().replace('-', '_')}=={one['metadata']['version']}"
            found.setdefault(pin, set()).add(one["download_info"]["archive_info"]["hashes"]["sha256"])
    lines = (
        " \\\n    ".join([pin, *(f"--hash=sha256:{digest}" for digest in sorted(digests))])
        for pin, digests in sorted(found.items())
    )
    return (
        "# Every package of the zip with its wheels' digests. Written by `python -m tools.release.package --lock`.\n"
        + "\n".join(lines)
        + "\n"
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _take(source: Path, raw: Path, tree: Path) -> None:
    """Copy one file unless it is junk; botocore's models without their prose."""
    relative = source.relative_to(raw)
    if _is_junk(relative):
        return
    target = tree / relative
    if relative.parts[:2] == ("botocore", "data"):
        _take_model(source, target, relative)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _is_junk(relative: Path) -> bool:
    if relative.parts[0] == "bin" or any(
        part in JUNK_FOLDERS or part.endswith((".dist-info", ".data")) for part in relative.parts[:-1]
    ):
        return True
    if relative.parts[0] in ("boto3", "s3transfer") and "data" in relative.parts:
        return True  # Resource models: we use clients only.
    if relative.as_posix().startswith(UNUSED):
        return True
    kept = KEPT_OF.get(relative.parts[0])
    if kept is not None and relative.name not in kept:
        return True
    return relative.suffix in JUNK_SUFFIXES


def _take_model(source: Path, target: Path, relative: Path) -> None:
    inside = relative.parts[2:]
    if len(inside) == 1:
        if inside[0] not in DATA_FILES:
            return
    elif inside[0] not in SERVICES or "examples" in inside[-1]:
        return
    content = source.read_bytes()
    if source.suffix == ".gz":
        content, target = gzip.decompress(content), target.with_suffix("")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(_without_prose(json.loads(content)), separators=(",", ":")), encoding="utf-8")


def _without_prose(model: Any) -> Any:
    if isinstance(model, dict):
        # Emptied, not dropped: botocore reads some of it. (A member called "documentation" is a dict.)
        return {
            key: "" if key == "documentation" and isinstance(value, str) else _without_prose(value)
            for key, value in model.items()
        }
    if isinstance(model, list):
        return [_without_prose(part) for part in model]
    return model


def _chalice(tree: Path) -> None:
    """Take the two files of Chalice that run in Lambda, as Chalice itself does."""
    import chalice.app

    folder = Path(chalice.app.__file__).parent
    (tree / "chalice").mkdir(parents=True)
    for name in ("__init__.py", "app.py"):
        shutil.copyfile(folder / name, tree / "chalice" / name)


_COMPILE = """
import py_compile, sys
from pathlib import Path
root = Path(sys.argv[1])
for path in sorted(root.rglob("*.py")):
    py_compile.compile(
        str(path), dfile=sys.argv[2] + "/" + path.relative_to(root).as_posix(), doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""


def compile_tree(tree: Path, python: Interpreter) -> None:
    """Compile every module of a folder, in a fresh process: byte code depends on what else is interned."""
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(
        [python.path, "-S", "-c", _COMPILE, str(tree), TASK_ROOT],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if done.returncode != 0:
        raise PackageError(f"a module does not compile: {done.stderr.strip()[-2000:]}")


# The zip


def build_zip(
    target: Path, platform: str = LAMBDA, say: Say = print, python: Interpreter | None = None
) -> tuple[int, int]:
    """Write the finished zip; returns how many files and bytes it unpacks to."""
    python = python or this_interpreter()
    packages = dependencies(platform, say, python)
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch)
        shutil.copyfile(ROOT / "app.py", own / "app.py")
        for source in sorted((ROOT / "chalicelib").rglob("*.py")):
            copy = own / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
        for source in sorted((ROOT / "chalicelib").rglob("*")):
            if source.is_file() and source.suffix in RESOURCE_SUFFIXES:
                copy = own / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, copy)
        say("zip: compiling our own")
        compile_tree(own, python)
        entries = {path.relative_to(folder).as_posix(): path for folder in (packages, own) for path in _files(folder)}
        say(f"zip: packing {len(entries)} files")
        target.parent.mkdir(parents=True, exist_ok=True)
        half = target.with_suffix(f".{os.getpid()}.half")
        total = 0
        with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(entries):
                info = zipfile.ZipInfo(name, EPOCH)
                info.external_attr = (0o755 if ".so" in name else 0o644) << 16
                info.create_system = 3
                info.compress_type = zipfile.ZIP_DEFLATED
                content = entries[name].read_bytes()
                total += len(content)
                archive.writestr(info, content, compresslevel=6)
        half.replace(target)
    return len(entries), total


RESOURCE_SUFFIXES = {".json", ".html", ".css", ".js", ".svg", ".csv"}
"""Data files of ours that ship beside the code, such as the OpenAPI document and its page."""


# The template


def sam_template(stage: str, settings: Mapping[str, str] | None = None) -> Json:
    """Return Chalice's template of a stage, merged with ``infra/<stage>.json`` and finished. Still SAM.

    Raises:
        SettingsError: if the stage's settings cannot be used; ``settings`` replaces those of its file.
    """
    from chalice.package import TemplateDeepMerger

    template: Json = TemplateDeepMerger().merge(
        json.loads((ROOT / "infra" / f"{stage}.json").read_text(encoding="utf-8")), _chalice_template(stage)
    )
    return finish(template, stage, settings_of.read(stage) if settings is None else settings)


def _chalice_template(stage: str) -> Json:
    """Let Chalice describe the application, without building a zip of its own."""
    from chalice.cli.factory import CLIFactory
    from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
    from chalice.deploy.deployer import BuildStage, InjectDefaults, PolicyGenerator, SwaggerBuilder
    from chalice.deploy.models import DeploymentPackage
    from chalice.deploy.swagger import CFNSwaggerGenerator
    from chalice.package import ResourceBuilder, SAMTemplateGenerator
    from chalice.utils import OSUtils

    nobody: Any = None  # Policies are files; nothing generates them from the source.

    class OurZip:
        """Stands where Chalice's packager stands."""

        def handle(self, _: Any, resource: Any) -> None:
            if isinstance(resource, DeploymentPackage):
                resource.filename = "code.zip"

    class Principals:
        """Service principals that do not need a client to ask for them."""

        def service_principal(self, service: str) -> str:
            return f"{service}.amazonaws.com"

    config = CLIFactory(str(ROOT), environ={}).create_config_obj(chalice_stage_name=stage)
    declared = {functions.API, *declared_functions(config.chalice_app)}
    if declared != set(functions.FUNCTIONS):
        raise PackageError(
            f"the code and infra/functions.py name different functions (a queue's is called like its queue): "
            f"{sorted(declared ^ set(functions.FUNCTIONS))}"
        )
    steps: list[Any] = [
        InjectDefaults(),
        OurZip(),
        PolicyGenerator(policy_gen=nobody, osutils=OSUtils()),
        SwaggerBuilder(swagger_generator=CFNSwaggerGenerator()),
    ]
    resources = ResourceBuilder(
        ApplicationGraphBuilder(), DependencyBuilder(), BuildStage(steps=steps)
    ).construct_resources(config, stage)
    principals: Any = Principals()
    template: Json = SAMTemplateGenerator(config, principals).generate(resources)
    return template


def declared_functions(app: Any) -> set[str]:
    """Return the names of the functions an application declares beside the HTTP function."""
    return {handler.name for handler in (*app.pure_lambda_functions, *app.event_sources)}


def finish(template: Json, stage: str, settings: Mapping[str, str]) -> Json:
    """Add what neither Chalice nor a merge can say."""
    from chalice.utils import to_cfn_resource_name

    resources: Json = template["Resources"]
    lambda_names = {
        _logical(name): f"{names.PROJECT}-{stage}-{functions.lambda_name(name)}" for name in functions.FUNCTIONS
    }
    told = {_logical(name): settings_of.of_function(name, settings) for name in functions.FUNCTIONS}
    consumed = {_logical(name): queue for queue, name in functions.QUEUE_FUNCTIONS.items()}
    for logical, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            # Chalice does not name functions; our policies name their log groups.
            properties["FunctionName"] = lambda_names[logical]
            properties["CodeUri"] = {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}}
            properties["Tracing"] = seen.TRACED_FUNCTION
            if told[logical]:
                properties.setdefault("Environment", {}).setdefault("Variables", {}).update(told[logical])
            for source in properties.get("Events", {}).values():
                if source["Type"] == "SQS":
                    # Chalice never sets it: without it one bad message would bring back its whole batch.
                    source["Properties"]["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
                    at_once = limits.at_once(stage, consumed[logical])
                    source["Properties"]["ScalingConfig"] = {"MaximumConcurrency": at_once}
    _slim(resources["RestAPI"]["Properties"]["DefinitionBody"]["paths"])
    for name in functions.FUNCTIONS:
        # Chalice lets the group of the HTTP function refer to a resource that it renames itself.
        group = resources[f"{to_cfn_resource_name(name)}LogGroup"]["Properties"]
        group["LogGroupName"] = f"/aws/lambda/{lambda_names[_logical(name)]}"
    return shift.finish(template)


def _slim(paths: Json) -> None:
    """Leave out of each method what a proxy integration does not look at: CloudFormation takes a megabyte in all."""
    for methods in paths.values():
        for method in methods.values():
            integration = method["x-amazon-apigateway-integration"]
            if integration["type"] != "aws_proxy":
                continue
            for name in ("responses", "passthroughBehavior"):
                integration.pop(name, None)
            for name in ("consumes", "produces"):
                method.pop(name, None)
            method["responses"] = {}


def _logical(name: str) -> str:
    from chalice.utils import to_cfn_resource_name

    return "APIHandler" if name == functions.API else str(to_cfn_resource_name(name))


def cloudformation(template: Json, region: str) -> Json:
    """Translate SAM to CloudFormation, offline.

    Raises:
        PackageError: if the template is not valid SAM.
    """
    import boto3.session
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    translator = Translator({}, Parser(), boto_session=boto3.session.Session(region_name=region))
    try:
        found: Json = translator.translate(json.loads(json.dumps(template)), parameter_values={})
    except InvalidDocumentException as error:
        raise PackageError(f"SAM: {[cause.message for cause in error.causes]}") from error
    return found


# All of it


def build(
    stage: str,
    out: Path | None = None,
    *,
    platform: str = LAMBDA,
    region: str = "us-east-1",
    settings: Mapping[str, str] | None = None,
    label: str = "",
    python: str | None = None,
    say: Say = print,
) -> Package:
    """Build zip and template of a stage; ``settings`` replaces those of its file (``infra.settings_of``).

    ``label`` tells this installation from others of the stage (``infra.names``). It is built for the newest Python on
    this machine that Lambda supports (``tools.release.interpreters``), or for ``python``; for the host it is the one
    that runs.

    Raises:
        PackageError: with what to do.
    """
    if stage not in policies.STAGES:
        raise PackageError(f"there is no stage {stage}; stages are {', '.join(policies.STAGES)}")
    interpreter = _interpreter(platform, python, say)
    stale = stack.drift()
    if stale:
        raise PackageError(f"{', '.join(stale)} differ from the code: run `make generate` and look at the change")
    out = out or BUILD / stage
    say("template: asking Chalice")
    template_path = write_template(stage, out, interpreter, region=region, settings=settings, label=label)
    zip_path = out / "code.zip"
    files, unzipped = build_zip(zip_path, platform, say, interpreter)
    digest = hashlib.sha256(zip_path.read_bytes()).hexdigest()
    return Package(stage, label, zip_path, template_path, digest, zip_path.stat().st_size, unzipped, files)


def write_template(
    stage: str,
    out: Path,
    interpreter: Interpreter,
    *,
    region: str = "us-east-1",
    settings: Mapping[str, str] | None = None,
    label: str = "",
) -> Path:
    """Write the finished template of an installation, and the SAM one beside it; returns its path.

    Raises:
        PackageError: if settings or label cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        sam = installations.labelled(sam_template(stage, settings), stage, label)
    except (settings_of.SettingsError, installations.BadLabel) as error:
        raise PackageError(str(error)) from error
    _set_runtime(sam, interpreter)
    (out / "sam.json").write_text(json.dumps(sam, indent=1, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    # CloudFormation takes a megabyte, spaces counted.
    told = json.dumps(cloudformation(sam, region), separators=(",", ":"), sort_keys=True)
    (out / "template.json").write_text(told, encoding="utf-8")
    return out / "template.json"


def _interpreter(platform: str, named: str | None, say: Say) -> Interpreter:
    if platform == HOST:
        return this_interpreter()
    try:
        found = interpreters.chosen(named)
    except runtimes.Unsupported as error:
        raise PackageError(str(error)) from error
    say(f"runtime: {found.runtime.said()} ({found.path})")
    soon = runtimes.warning(found.runtime, datetime.now(UTC).date())
    if soon:
        say(f"runtime: {soon}")
    return found


def _set_runtime(template: Json, python: Interpreter) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["Runtime"] = f"python{python.tag}"  # Chalice names that of the Python that runs it.


def host_runs_lambda() -> bool:
    """Say whether Lambda's wheels run on this machine."""
    import platform

    return sys.platform == "linux" and platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"


def shares(zip_path: Path, top: int = 8) -> list[tuple[str, int]]:
    """Return the largest parts of the zip in compressed bytes."""
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(zip_path) as archive:
        for info in archive.infolist():
            part = info.filename.split("/")[0]
            sizes[part] = sizes.get(part, 0) + info.compress_size
    return sorted(sizes.items(), key=lambda item: -item[1])[:top]


def main(arguments: list[str] | None = None) -> int:
    """Build from the command line."""
    parser = argparse.ArgumentParser(description="Build the zip and the template of a stage.")
    parser.add_argument("--stage", default=os.environ.get("STAGE", "dev"), choices=policies.STAGES)
    parser.add_argument("--region", default=os.environ.get("AWS_REGION", "us-east-1"))
    parser.add_argument("--settings", type=Path, help="a file in place of infra/settings/<stage>.toml")
    parser.add_argument("--out", type=Path, help="folder to write to (.build/<stage>)")
    parser.add_argument("--platform", default=LAMBDA, choices=(LAMBDA, HOST), help="whose wheels to take")
    parser.add_argument("--python", help="the interpreter to package for, if not the newest that Lambda supports")
    parser.add_argument("--lock", action="store_true", help="resolve the packages anew and write infra/constraints.txt")
    options = parser.parse_args(arguments)
    started = time.perf_counter()

    def say(message: str) -> None:
        print(f"{time.perf_counter() - started:5.1f} s  {message}", flush=True)

    try:
        if options.lock:
            CONSTRAINTS.write_text(lock(), encoding="utf-8")
            say(f"wrote {CONSTRAINTS.relative_to(ROOT)}")
            return 0
        package = build(
            options.stage,
            options.out,
            platform=options.platform,
            region=options.region,
            settings=settings_of.read(options.stage, options.settings),
            python=options.python,
            say=say,
        )
    except (PackageError, settings_of.SettingsError) as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    say("done")
    print()
    for name, size in shares(package.zip_path):
        print(f"  {name:<28} {size / 1e6:6.2f} MB")
    print(f"  {'zip':<28} {package.zip_bytes / 1e6:6.2f} MB, {package.files} files")
    print(f"  {'unpacked':<28} {package.unzipped_bytes / 1e6:6.2f} MB")
    print(f"\n{package.zip_path}\n{package.template_path}")
    print(
        json.dumps(
            {
                "stage": package.stage,
                "zip_bytes": package.zip_bytes,
                "unzipped_bytes": package.unzipped_bytes,
                "files": package.files,
                "sha256": package.sha256,
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
