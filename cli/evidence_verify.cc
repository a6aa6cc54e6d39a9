// SPDX-License-Identifier: Apache-2.0
#include "cli/evidence_verify.h"

#include <algorithm>
#include <filesystem>

#include "cli/evidence_bundles.h"
#include "cli/present/json_text.h"
#include "lib/base/escape.h"
#include "lib/base/printable.h"
#include "lib/seal/sealed_places.h"
#include "lib/seal/verify.h"

namespace ward::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Outcome {
  std::vector<Verified> bundles;
  std::vector<Finding> ledger;  // of none of them
  bool all_as_sealed() const {
    return ledger.empty() && std::all_of(bundles.begin(), bundles.end(),
                                         [](const Verified& one) { return one.findings.empty(); });
  }
};

Result<std::vector<fs::path>> paths_of(const SealedPlaces& places, const VerifyRequest& request) {
  std::vector<fs::path> paths;
  if (request.bundles.empty()) {
    const auto names = bundle_names(places.directories());
    if (!names) return tl::unexpected<Error>(names.error());
    for (const std::string& name : *names) paths.push_back(places.directories() / name);
    return paths;
  }
  for (const std::string& named : request.bundles) {
    auto path = find_bundle(places.directories(), named);
    if (!path) return tl::unexpected<Error>(path.error());
    paths.push_back(std::move(*path));
  }
  return paths;
}

// Findings of the chain go to the bundle they name. What is not asked about is not told of, unless
// all of a node is.
void add_chain(Outcome& out, std::vector<Finding> findings, bool of_all) {
  for (Finding& finding : findings) {
    const auto bundle =
        std::find_if(out.bundles.begin(), out.bundles.end(),
                     [&](const Verified& one) { return one.directory == finding.directory; });
    if (bundle != out.bundles.end()) {
      bundle->findings.push_back(std::move(finding));
    } else if (of_all) {
      out.ledger.push_back(std::move(finding));
    }
  }
}

Json as_json(const Outcome& outcome, const PublicKey& key) {
  Json bundles = Json::array();
  for (const Verified& one : outcome.bundles) {
    Json findings = Json::array();
    for (const Finding& finding : one.findings)
      findings.push_back({{"part", escape(finding.part)}, {"what", escape(finding.what)}});
    bundles.push_back({{"bundle", escape(one.directory)},
                       {"sealed", one.sealed},
                       {"complete", one.sealed && one.manifest.complete},
                       {"number", one.manifest.number},
                       {"sealed_wall_ns", std::to_string(one.manifest.sealed_wall_ns)},
                       {"parts", one.manifest.parts.size()},
                       {"findings", std::move(findings)}});
  }
  Json ledger = Json::array();
  for (const Finding& finding : outcome.ledger)
    ledger.push_back({{"bundle", escape(finding.directory)}, {"what", escape(finding.what)}});
  return {{"schema", schema("EvidenceVerdict")},
          {"as_sealed", outcome.all_as_sealed()},
          {"key", key.id()},
          {"bundles", std::move(bundles)},
          {"ledger", std::move(ledger)}};
}

void print(Session& session, const Outcome& outcome) {
  for (const Verified& one : outcome.bundles) {
    const std::string name = escape(one.directory);
    if (!one.sealed && one.findings.empty())
      session.print(name + ": " + session.out.warn("not sealed") + ", so nothing can be said\n");
    if (one.sealed && one.findings.empty()) {
      session.print(name + ": " + session.out.good("ok") + ", " +
                    std::to_string(one.manifest.parts.size()) + " parts, sealed " +
                    local_time(one.manifest.sealed_wall_ns) + " as number " +
                    std::to_string(one.manifest.number) +
                    (one.manifest.complete ? "" : ", incomplete when it was sealed") + "\n");
    }
    for (const Finding& finding : one.findings) {
      session.print(name + ": " +
                    session.out.bad((finding.part.empty() ? "" : escape(finding.part) + ": ") +
                                    printable(finding.what)) +
                    "\n");
    }
  }
  for (const Finding& finding : outcome.ledger) {
    session.print((finding.directory.empty() ? "ledger" : escape(finding.directory)) + ": " +
                  session.out.bad(printable(finding.what)) + "\n");
  }
  if (outcome.bundles.empty() && outcome.ledger.empty()) session.print("no evidence is kept\n");
}

}  // namespace

int verify_evidence(Session& session, const VerifyRequest& request) {
  const SealedPlaces places{session.places.state};
  const auto paths = paths_of(places, request);
  if (!paths) return session.fail(paths.error());
  const fs::path key_file = request.key.empty() ? places.public_key() : fs::path(request.key);
  const auto key = PublicKey::read(key_file);
  if (!key && key.error().code == Code::kNotFound && request.key.empty())
    return session.refuse(
        "there is no key of this node yet, so nothing is sealed; another one: "
        "--key",
        kExitFailed);
  if (!key) return session.fail(key.error());
  Outcome outcome;
  bool of_this_node = request.bundles.empty();
  for (const fs::path& path : *paths) {
    auto verified = verify_directory(path, *key);
    if (!verified) return session.fail(verified.error());
    // Who asks for this one wants to hear that it is as it was.
    if (!verified->sealed && !request.bundles.empty())
      verified->findings.push_back(
          {verified->directory, kManifestName, "missing: it is not sealed"});
    outcome.bundles.push_back(std::move(*verified));
    of_this_node = of_this_node || path.parent_path() == places.directories();
  }
  if (of_this_node) {
    const auto ledger = read_ledger(places.ledger(), *key);
    if (!ledger) return session.fail(ledger.error());
    add_chain(outcome, verify_chain(*ledger, outcome.bundles), request.bundles.empty());
  }
  if (session.json) {
    session.print(json_text(as_json(outcome, *key)));
  } else {
    print(session, outcome);
  }
  return outcome.all_as_sealed() ? kExitOk : kExitDifferent;
}

}  // namespace ward::cli
