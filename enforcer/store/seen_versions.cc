// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/seen_versions.h"

namespace ward::enforcer {

Result<SeenVersions> read_seen_versions(const std::filesystem::path& database) {
  auto connection = Connection::open(database, Access::kReadOnly);
  if (!connection) return tl::unexpected<Error>(connection.error());
  auto statement = connection->prepare("SELECT profile, version, digest FROM seen_versions");
  if (!statement) return tl::unexpected<Error>(statement.error());
  SeenVersions versions;
  for (;;) {
    auto row = statement->step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return versions;
    versions[statement->text(0)] = {static_cast<std::uint64_t>(statement->integer(1)),
                                    statement->text(2)};
  }
}

void store_seen_versions(Writer& writer, SeenVersions versions,
                         std::function<void(Result<void>)> done) {
  writer.submit(
      [versions = std::move(versions)](Connection& connection) -> Result<void> {
        auto statement = connection.prepare(
            "INSERT OR REPLACE INTO seen_versions (profile, version, digest) VALUES (?, ?, ?)");
        if (!statement) return tl::unexpected<Error>(statement.error());
        for (const auto& [name, seen] : versions) {
          statement->reset();
          statement->bind(name).bind(static_cast<std::int64_t>(seen.version)).bind(seen.digest);
          if (auto stored = statement->run(); !stored) return stored;
        }
        return {};
      },
      std::move(done));
}

}  // namespace ward::enforcer
