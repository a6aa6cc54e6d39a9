// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/reader.h"

namespace ward::enforcer {

Reader::Reader(Writer& writer, std::filesystem::path database)
    : writer_(writer), database_(std::move(database)) {
  writer_.attach(this);
}

Reader::~Reader() { writer_.detach(this); }

void Reader::close() { connection_.reset(); }

Result<Statement> Reader::prepare(std::string_view sql) {
  if (writer_.is_repairing())
    return fail(Code::kAborted, "the database is being repaired: ask again");
  if (!connection_) {
    auto opened = Connection::open(database_, Access::kReadOnly);
    if (!opened) return tl::unexpected<Error>(opened.error());
    connection_.emplace(std::move(*opened));
  }
  return connection_->prepare(sql);
}

}  // namespace ward::enforcer
