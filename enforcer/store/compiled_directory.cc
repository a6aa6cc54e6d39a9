// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/compiled_directory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "profiles/filter/index_of_before.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/limits.h"

namespace ward::enforcer {
namespace {

using filter::Governed;

// A shim that has read the old index may open the file of it a moment later.
constexpr std::chrono::minutes kKeepUnreferenced{10};

std::set<std::string> named_files(const node::v1::CompiledIndex& index) {
  std::set<std::string> names;
  for (const auto& rule : index.rules()) names.insert(rule.compiled_sha256());
  for (const auto& profile : index.profiles()) names.insert(profile.compiled_sha256());
  names.insert(index.baseline().compiled_sha256());
  names.erase("");
  return names;
}

// The digest of the source profile inside of a compiled file; empty where the file is damaged.
std::string profile_digest(const std::filesystem::path& path) {
  const auto bytes = read_regular_file(path);
  node::v1::SealedFile sealed;
  node::v1::CompiledProfile profile;
  if (!bytes || !sealed.ParseFromString(*bytes) || !profile.ParseFromString(sealed.payload()))
    return "";
  return profile.digest();
}

// The writer's claim, tried: what cannot be read is not put in force.
Result<void> check_readable(const InForce& in_force) {
  UniqueFd fd(::memfd_create("ward-index", MFD_CLOEXEC));
  if (!fd) return fail_errno("memfd_create");
  std::string_view rest = in_force.index_bytes;
  while (!rest.empty()) {
    const ssize_t n = ::write(fd.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write to memory");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  auto reader = filter::IndexReader::open(std::move(fd));
  if (!reader) return tl::unexpected<Error>(reader.error());
  const auto again = reader->read_all();
  if (!again) return tl::unexpected<Error>(again.error());
  if (again->SerializeAsString() == in_force.index.SerializeAsString()) return {};
  return fail(Code::kInternal, "the compiled index does not read as it was written");
}

std::string stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return "-;";
  std::string out;
  for (const auto number :
       {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
        static_cast<std::int64_t>(status.st_size), static_cast<std::int64_t>(status.st_mtim.tv_sec),
        static_cast<std::int64_t>(status.st_mtim.tv_nsec),
        static_cast<std::int64_t>(status.st_ctim.tv_sec),
        static_cast<std::int64_t>(status.st_ctim.tv_nsec)}) {
    out += std::to_string(number) + ",";
  }
  return out + ";";
}

}  // namespace

Result<InForce> make_in_force(profiles::Resolved resolved, std::uint64_t generation) {
  InForce out;
  out.index = std::move(resolved.index);
  out.index.set_generation(generation);
  out.files = std::move(resolved.files);
  auto bytes = filter::write_index(out.index);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  out.index_bytes = std::move(*bytes);
  if (auto readable = check_readable(out); !readable)
    return tl::unexpected<Error>(readable.error());
  return out;
}

Result<filter::IndexReader> CompiledDirectory::open_index() const {
  return filter::IndexReader::open(places_.compiled_index());
}

std::optional<InForce> CompiledDirectory::read() const {
  auto reader = open_index();
  if (!reader && reader.error().code == Code::kNotFound) return std::nullopt;
  auto index = reader ? reader->read_all()
                      : Result<node::v1::CompiledIndex>(tl::unexpected<Error>(reader.error()));
  if (!index) {
    log::error("the compiled index cannot be read and will be written again",
               {{"path", places_.compiled_index().string()}, {"error", index.error().message}});
    return std::nullopt;
  }
  return complete(std::move(*index));
}

std::optional<InForce> CompiledDirectory::read_of_before() const {
  // With a mark, or an index under the newer name, that one is old news, and may say less than was
  // in force last.
  if (filter::read_mark(places_)) return std::nullopt;
  if (const auto newer = open_index(); newer || newer.error().code != Code::kNotFound)
    return std::nullopt;
  auto index = filter::read_index_of_before(places_);
  return index ? complete(std::move(*index)) : std::nullopt;
}

std::optional<InForce> CompiledDirectory::complete(node::v1::CompiledIndex index) const {
  InForce out;
  out.index = std::move(index);
  auto bytes = filter::write_index(out.index);
  if (!bytes) return std::nullopt;
  out.index_bytes = std::move(*bytes);
  for (const std::string& name : named_files(out.index)) {
    auto content = read_regular_file(file(name), filter::kMaxProfileBytes);
    if (content && sha256_hex(*content) == name) out.files.push_back({std::move(*content), name});
  }
  return out;
}

Result<void> CompiledDirectory::make_directories(std::vector<std::string>& made) const {
  for (const auto& path :
       {places_.state, places_.compiled(), places_.spool(), places_.evidence(), places_.run}) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) continue;
    std::filesystem::create_directories(path.parent_path(), error);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("create '" + path.string() + "'");
    made.push_back("directory " + path.string());
  }
  return {};
}

Result<void> CompiledDirectory::mark(const InForce& in_force) const {
  const auto there = filter::read_mark(places_);
  const node::v1::NodeSettings& settings = in_force.index.settings();
  filter::GovernedMark mark;
  if (in_force.index.rules_size() > 0 || (there && there->how != Governed::kNever)) {
    mark.how = settings.open_when_ungoverned() ? Governed::kOpen : Governed::kRefuse;
  }
  mark.had_profiles = in_force.index.profiles_size() > 0;
  mark.runtime_binary = settings.runtime_binary();
  // Nothing has to be remembered of a node that nobody ever configured.
  if (!there && mark == filter::GovernedMark()) return {};
  return filter::write_mark(places_, mark);
}

Result<std::vector<std::string>> CompiledDirectory::write(const InForce& in_force,
                                                          const InForce* before) {
  std::vector<std::string> written;
  if (auto made = make_directories(written); !made) return tl::unexpected<Error>(made.error());
  // Without it a loss of the index would not be told; not a reason to leave an old index in force.
  if (auto marked = mark(in_force); !marked) {
    log::error("the mark of a governed node is not everywhere",
               {{"error", marked.error().message}});
  }
  std::size_t profiles = 0;
  for (const profiles::SealedBytes& compiled : in_force.files) {
    // Content-addressed: a file of that name with other content is a damaged one.
    const auto there = read_regular_file(file(compiled.sha256), filter::kMaxProfileBytes);
    if (there && *there == compiled.bytes) continue;
    if (auto done = write_file_atomically(file(compiled.sha256), compiled.bytes); !done) {
      return tl::unexpected<Error>(done.error());
    }
    ++profiles;
  }
  if (profiles > 0) written.push_back(std::to_string(profiles) + " compiled profiles");
  const auto there = read_regular_file(places_.compiled_index(), filter::kMaxIndexBytes);
  if (!there || *there != in_force.index_bytes) {
    if (auto done = write_file_atomically(places_.compiled_index(), in_force.index_bytes); !done) {
      return tl::unexpected<Error>(done.error());
    }
    written.emplace_back("the index");
  }
  if (before == nullptr) return written;
  // From now on the time of these files says since when nobody names them.
  const std::set<std::string> still_named = named_files(in_force.index);
  for (const std::string& name : named_files(before->index)) {
    if (still_named.count(name) == 0) (void)::utimensat(AT_FDCWD, file(name).c_str(), nullptr, 0);
  }
  return written;
}

std::string CompiledDirectory::stamp() const {
  std::string out = stamp_of(places_.compiled()) + stamp_of(places_.compiled_index());
  for (const auto& path : {places_.state / "governed", places_.run / "governed"})
    out += stamp_of(path);
  // Only whether they are there: others write into these.
  for (const auto& path : {places_.spool(), places_.evidence()}) {
    std::error_code error;
    out += std::filesystem::is_directory(path, error) ? "d" : "-";
  }
  return out;
}

// Where nobody can say what is named, nothing is taken for unnamed.
Result<std::set<std::string>> CompiledDirectory::find_named() const {
  auto reader = open_index();
  const auto index = reader ? reader->read_all() : Result<node::v1::CompiledIndex>();
  if (!reader) return tl::unexpected<Error>(reader.error());
  if (!index) return tl::unexpected<Error>(index.error());
  std::set<std::string> named = named_files(*index);
  // A shim of an older version, which lives as long as its pod, starts containers by this one.
  const auto before = filter::read_index_of_before(places_);
  if (!before && before.error().code != Code::kNotFound)
    return tl::unexpected<Error>(before.error());
  if (before) named.merge(named_files(*before));
  return named;
}

void CompiledDirectory::collect_garbage(const std::set<std::string>& digests_in_use) {
  const auto named = find_named();
  if (!named) return;
  std::error_code error;
  std::vector<std::filesystem::path> unused;
  for (const auto& entry : std::filesystem::directory_iterator(places_.compiled(), error)) {
    const auto& path = entry.path();
    const bool is_profile =
        path.extension() == ".profile" && named->count(path.stem().string()) == 0;
    const bool is_torn = path.filename().string().find(".tmp-") != std::string::npos;
    if (!is_profile && !is_torn) continue;
    const auto written = std::filesystem::last_write_time(path, error);
    if (error || std::filesystem::file_time_type::clock::now() - written < kKeepUnreferenced)
      continue;
    if (is_profile && digests_in_use.count(profile_digest(path)) != 0) continue;
    unused.push_back(path);
  }
  for (const auto& path : unused) {
    if (std::filesystem::remove(path, error))
      log::info("removed a compiled profile nobody uses", {{"file", path.filename().string()}});
  }
}

}  // namespace ward::enforcer
