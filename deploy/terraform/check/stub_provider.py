"""Stands in for Terraform's Google provider: serves its schema (STUB_GOOGLE_SCHEMA) and nothing else.

Enough for `terraform validate`, and for `terraform test` with mock_provider. It never talks to Google.
"""
import json
import os
import pathlib
import sys

import tf.provider
from tf.gen import tfplugin_pb2 as plugin
from tf.gen import tfplugin_pb2_grpc as services
from tf.runner import run_provider

FOUND = json.loads(pathlib.Path(os.environ["STUB_GOOGLE_SCHEMA"]).read_text())
NESTING = plugin.Schema.NestedBlock.NestingMode


def block(it):
    attributes = [
        plugin.Schema.Attribute(name=name, type=json.dumps(a["type"]).encode(), required=a["required"], optional=a["optional"], computed=a["computed"])
        for name, a in sorted(it["attributes"].items())]
    blocks = [
        plugin.Schema.NestedBlock(type_name=name, nesting=NESTING.SINGLE if b["nesting"] == "single" else NESTING.LIST,
                                  min_items=b["min"], max_items=b["max"], block=block(b["block"]))
        for name, b in sorted(it["blocks"].items())]
    return plugin.Schema.Block(attributes=attributes, block_types=blocks)


def schema(it):
    return plugin.Schema(version=0, block=block(it))


class Servicer(services.ProviderServicer):
    def __init__(self, provider):
        pass

    def GetMetadata(self, request, context):
        answer = plugin.GetMetadata.Response
        return answer(resources=[plugin.GetMetadata.ResourceMetadata(type_name=it) for it in FOUND["resources"]],
                      data_sources=[plugin.GetMetadata.DataSourceMetadata(type_name=it) for it in FOUND["data"]])

    def GetProviderSchema(self, request, context):
        return plugin.GetProviderSchema.Response(
            provider=schema(FOUND["provider"]),
            resource_schemas={name: schema(it) for name, it in FOUND["resources"].items()},
            data_source_schemas={name: schema(it) for name, it in FOUND["data"].items()})

    def ValidateProviderConfig(self, request, context):
        return plugin.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return plugin.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return plugin.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request, context):
        return plugin.ConfigureProvider.Response()

    def StopProvider(self, request, context):
        return plugin.StopProvider.Response()


tf.provider.ProviderServicer = Servicer
run_provider(None, sys.argv)
