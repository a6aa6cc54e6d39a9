// SPDX-License-Identifier: Apache-2.0
#include "enforcer/database/reader.h"

namespace ward::enforcer {

Result<Statement> Reader::prepare(std::string_view sql) {
  if (!connection_) {
    auto opened = Connection::open(database_, Access::kReadOnly);
    if (!opened) return tl::unexpected<Error>(opened.error());
    connection_.emplace(std::move(*opened));
  }
  return connection_->prepare(sql);
}

}  // namespace ward::enforcer
