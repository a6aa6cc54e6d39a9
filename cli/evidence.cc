// SPDX-License-Identifier: Apache-2.0
#include "cli/evidence.h"
#include "cli/options.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "cli/app.h"
#include "cli/evidence_bundles.h"
#include "cli/evidence_verify.h"
#include "cli/out_option.h"
#include "cli/present/json_text.h"
#include "cli/present/table.h"
#include "lib/base/escape.h"
#include "lib/base/named_output.h"
#include "lib/base/printable.h"
#include "lib/base/utf8.h"
#include "lib/seal/sealed_places.h"
#include "lib/seal/verify.h"

namespace ward::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Strings in evidence.json are escaped already.
std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

Json object_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() ? *found : Json();
}

std::int64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

struct Row {
  std::string name;
  Json violation = Json::object();
  bool complete = false, sealed = false;
};

Row look_at(const fs::path& root, const std::string& name) {
  Row row{.name = name};
  if (const auto document = read_evidence_document(root / name))
    row.violation = object_at(*document, "violation");
  if (!row.violation.is_object()) row.violation = Json::object();
  std::error_code error;
  row.complete = fs::exists(root / name / "SHA256SUMS", error);
  row.sealed = fs::exists(root / name / kManifestName, error);
  return row;
}

int list(Session& session) {
  const fs::path root = SealedPlaces{session.places.state}.directories();
  const auto names = bundle_names(root);
  if (!names) return session.fail(names.error());
  Table table({"BUNDLE", "TIME", "CONTAINER", "CALL", "OUTCOME", "STATE"});
  Json rows = Json::array();
  for (const std::string& name : *names) {
    const Row row = look_at(root, name);
    const Json& v = row.violation;
    if (session.json) {
      rows.push_back({{"bundle", to_utf8(name)},
                      {"wall_ns", std::to_string(number_at(v, "wall_ns"))},
                      {"container_id", text_at(v, "container_id")},
                      {"syscall", text_at(v, "syscall")},
                      {"outcome", text_at(v, "outcome")},
                      {"complete", row.complete},
                      {"sealed", row.sealed}});
      continue;
    }
    table.add({name, local_time(number_at(v, "wall_ns")), text_at(v, "container_id"),
               text_at(v, "syscall"), text_at(v, "outcome"),
               std::string(row.complete ? "complete" : "incomplete") +
                   (row.sealed ? ", sealed" : ", not sealed")});
  }
  if (session.json) {
    session.print(json_text({{"schema", schema("EvidenceList")}, {"bundles", std::move(rows)}}));
  } else {
    session.print(table.empty() ? "no evidence is kept\n" : table.text(session.out));
  }
  return kExitOk;
}

std::string call_text(const Json& document) {
  const Json call = object_at(document, "call");
  if (!call.is_object()) return text_at(object_at(document, "violation"), "syscall");
  std::string text = text_at(call, "syscall") + "(";
  const Json args = object_at(call, "args");
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string behind = text_at(args[i], "string");
    text += (i == 0 ? "" : ", ") +
            (text_at(args[i], "text").empty() ? text_at(args[i], "raw") : text_at(args[i], "text"));
    if (!behind.empty()) text += " \"" + behind + "\"";
  }
  return text + ")";
}

std::string show_text(const fs::path& bundle, const Json& document) {
  const Json v = object_at(document, "violation");
  std::string out;
  const auto line = [&out](const std::string& name, const std::string& value) {
    if (!value.empty())
      out += name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + value + "\n";
  };
  line("bundle", bundle.string());
  line("time", local_time(number_at(v, "wall_ns")));
  line("container", text_at(v, "container_id"));
  line("image", text_at(v, "image"));
  line("profile", text_at(v, "profile"));
  line("reason", text_at(v, "reason"));
  line("outcome", text_at(v, "outcome"));
  line("call", call_text(document));
  for (const auto& process : object_at(document, "offender_and_ancestors")) {
    line("process",
         text_at(process, "pid") + " " + text_at(process, "comm") + " " + text_at(process, "exe"));
  }
  for (const auto& frame : object_at(document, "stack"))
    if (text_at(frame, "found") == "pc")
      line("at", text_at(frame, "module") + "+" + text_at(frame, "offset"));
  std::size_t shown = 0;
  for (const auto& change : object_at(document, "changed_files")) {
    if (++shown > 20) break;
    line("file", text_at(change, "change") + " " + text_at(change, "path") + " " +
                     text_at(change, "sha256"));
  }
  for (const auto& part : object_at(document, "left_out"))
    line("left out", text_at(part, "part") + ": " + text_at(part, "why"));
  return printable(out, 1U << 20U);
}

int show(Session& session, const std::string& named) {
  const auto bundle = find_bundle(SealedPlaces{session.places.state}.directories(), named);
  if (!bundle) return session.fail(bundle.error());
  const auto document = read_evidence_document(*bundle);
  if (!document) return session.fail(document.error());
  if (!session.json) {
    session.print(show_text(*bundle, *document));
    return kExitOk;
  }
  session.print(json_text({{"schema", schema("Evidence")},
                           {"bundle", to_utf8(bundle->filename().string())},
                           {"evidence", *document}}));
  return kExitOk;
}

int export_bundle(Session& session, const std::string& named, std::string file) {
  const SealedPlaces places{session.places.state};
  const auto bundle = find_bundle(places.directories(), named);
  if (!bundle) return session.fail(bundle.error());
  const auto key = PublicKey::read(places.public_key());
  const auto archive = archive_bundle(*bundle, key ? key->pem() : "");
  if (!archive) return session.fail(archive.error());
  if (file.empty()) file = bundle->filename().string() + ".tar.zst";
  if (auto written = write_named_output(file, *archive, 0600); !written)
    return session.fail(written.error());
  if (session.json) {
    session.print(json_text({{"schema", schema("EvidenceExport")},
                             {"file", to_utf8(file)},
                             {"bytes", archive->size()}}));
  } else {
    session.print("wrote " + printable(file) + ", " + std::to_string(archive->size()) + " bytes\n");
  }
  return kExitOk;
}

int show_key(Session& session) {
  const auto key = PublicKey::read(SealedPlaces{session.places.state}.public_key());
  if (!key && key.error().code == Code::kNotFound)
    return session.refuse("there is no key yet: wardd makes one for the first bundle it seals",
                          kExitFailed);
  if (!key) return session.fail(key.error());
  session.print(
      session.json
          ? json_text({{"schema", schema("EvidenceKey")}, {"key", key->id()}, {"pem", key->pem()}})
          : key->pem());
  return kExitOk;
}

void add_verify(CLI::App& evidence, Session& session, int& exit_code) {
  auto* verb =
      add_verb(evidence, "verify",
               "Whether bundles are as wardd sealed them, part by part; exit code 5: not all are");
  verb->footer(examples({"ward evidence verify", "ward evidence verify a7e928162e5b788debe5-1",
                         "ward evidence verify ./a7e928162e5b788debe5-1 --key evidence.pub"}));
  const auto asked = std::make_shared<VerifyRequest>();
  add_value(*verb, "bundles", asked->bundles,
            "bundles of this node, or directories; without any all of this node, and the "
            "ledger of what was sealed and removed")
      ->type_name(kFileValue);
  add_value(*verb, "--key", asked->key, "the public key, where it is not this node's")
      ->type_name(kFileValue);
  verb->callback([&session, &exit_code, asked] { exit_code = verify_evidence(session, *asked); });
}

}  // namespace

void add_evidence(CLI::App& app, Session& session, int& exit_code) {
  auto* evidence =
      add_verb(app, "evidence", "What was kept of violations; needs no wardd, and to be root");
  evidence->require_subcommand(1);
  evidence->footer(examples({"ward evidence list"}));
  add_verb(*evidence, "list", "Bundles of this node, oldest first")
      ->footer(examples({"ward evidence list", "ward evidence list -o json"}))
      ->callback([&session, &exit_code] { exit_code = list(session); });
  const auto named = std::make_shared<std::string>();
  auto* shown = add_verb(*evidence, "show", "One bundle in short; json: all of its evidence.json");
  shown->footer(examples({"ward evidence show a7e928162e5b788debe5-1"}));
  add_value(*shown, "bundle", *named, "a name from `ward evidence list`, or a directory")
      ->required();
  shown->callback([&session, &exit_code, named] { exit_code = show(session, *named); });
  add_verify(*evidence, session, exit_code);
  const auto file = std::make_shared<std::string>();
  auto* exported = add_verb(*evidence, "export", "One bundle as a tar archive, compressed by zstd");
  exported->footer(examples({"ward evidence export a7e928162e5b788debe5-1 -o case-7.tar.zst"}));
  add_value(*exported, "bundle", *named, "a name from `ward evidence list`, or a directory")
      ->required();
  add_out_option(*exported, session, [file](const std::string& name) { *file = name; });
  exported->callback(
      [&session, &exit_code, named, file] { exit_code = export_bundle(session, *named, *file); });
  add_verb(*evidence, "key", "The public key that verifies this node's bundles, as PEM")
      ->footer(examples({"ward evidence key"}))
      ->callback([&session, &exit_code] { exit_code = show_key(session); });
}

}  // namespace ward::cli
