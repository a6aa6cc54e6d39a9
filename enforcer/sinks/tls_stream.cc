// SPDX-License-Identifier: Apache-2.0
// TLS by OpenSSL, which wardd has in memory anyway, for gRPC.
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "enforcer/sinks/secret_file.h"
#include "enforcer/sinks/socket_wait.h"
#include "lib/base/escape.h"

namespace ward::enforcer::sinks {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;
using Session = std::unique_ptr<SSL, Free>;

tl::unexpected<Error> fail_tls(const std::string& what, const SSL* ssl = nullptr) {
  std::string why;
  if (ssl != nullptr) {
    if (const long verified = ::SSL_get_verify_result(ssl); verified != X509_V_OK)
      why = ::X509_verify_cert_error_string(verified);
  }
  if (const unsigned long error = ::ERR_get_error(); why.empty() && error != 0) {
    const char* reason = ::ERR_reason_error_string(error);
    if (reason != nullptr) why = reason;
  }
  ::ERR_clear_error();
  return fail(Code::kUnavailable, what + ": " + (why.empty() ? "the connection broke" : why));
}

bool is_address(const std::string& host) {
  in6_addr any = {};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

class TlsStream final : public Stream {
 public:
  TlsStream(Context context, Session session, UniqueFd fd, Patience patience)
      : fd_(std::move(fd)),
        context_(std::move(context)),
        session_(std::move(session)),
        patience_(patience) {}

  // `step` is one of SSL's calls: again, when the socket has what it asks for.
  template <typename Step>
  Result<void> drive(const std::string& what, Step step) {
    for (;;) {
      ::ERR_clear_error();
      const int done = step(session_.get());
      if (done > 0) return {};
      switch (::SSL_get_error(session_.get(), done)) {
        case SSL_ERROR_WANT_READ: {
          auto ready = await_socket(fd_.get(), POLLIN, patience_);
          if (!ready) return ready;
          break;
        }
        case SSL_ERROR_WANT_WRITE: {
          auto ready = await_socket(fd_.get(), POLLOUT, patience_);
          if (!ready) return ready;
          break;
        }
        case SSL_ERROR_ZERO_RETURN: return fail(Code::kAborted, what + ": the receiver closed");
        default: return fail_tls(what, session_.get());
      }
    }
  }

  Result<void> shake_hands() {
    return drive("TLS", [](SSL* ssl) { return ::SSL_connect(ssl); });
  }

  Result<void> write(const std::string& bytes) override {
    if (bytes.empty()) return {};
    return drive("TLS", [&bytes](SSL* ssl) {
      return ::SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
    });
  }

  // Our close_notify, then the peer's, or its end. Read by TLS, not past it: a peer that does not
  // like our certificate says so in an alert, behind its part of the handshake.
  Result<void> finish() override {
    auto said = drive("TLS", [](SSL* ssl) {
      const int done = ::SSL_shutdown(ssl);
      return done == 0 ? 1 : done;  // 0: said, and not answered yet
    });
    if (!said) return said;
    if (::shutdown(fd_.get(), SHUT_WR) != 0) return fail_errno("the receiver");
    std::size_t heard = 0;
    for (;;) {
      char bytes[512];
      int got = 0;
      auto read = drive("TLS", [&](SSL* ssl) {
        got = ::SSL_read(ssl, static_cast<char*>(bytes), sizeof(bytes));
        return got;
      });
      heard += static_cast<std::size_t>(std::max(got, 0));
      if (heard > kMostHeard)
        return fail(Code::kFailedPrecondition, "the receiver talks without end");
      if (read) continue;
      if (read.error().code == Code::kAborted) return await_acknowledgement(fd_.get(), patience_);
      return judge_silence(fd_.get(), read.error());
    }
  }

 private:
  UniqueFd fd_;
  Context context_;
  Session session_;
  Patience patience_;
};

Result<void> use_certificates(SSL_CTX* context, const profiles::SinkSettings& settings) {
  const bool trusted =
      settings.ca_file.empty()
          ? ::SSL_CTX_set_default_verify_paths(context) == 1
          : ::SSL_CTX_load_verify_locations(context, settings.ca_file.c_str(), nullptr) == 1;
  if (!trusted) return fail_tls("certificates of authorities '" + escape(settings.ca_file) + "'");
  if (settings.certificate_file.empty()) return {};
  if (auto checked = check_secret(settings.key_file); !checked) return checked;
  if (::SSL_CTX_use_certificate_chain_file(context, settings.certificate_file.c_str()) != 1)
    return fail_tls("certificate '" + escape(settings.certificate_file) + "'");
  if (::SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail_tls("key '" + escape(settings.key_file) + "'");
  return {};
}

}  // namespace

Result<std::unique_ptr<Stream>> open_tls_stream(const profiles::SinkSettings& settings,
                                                const HostAndPort& where, UniqueFd fd,
                                                const Patience& patience) {
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) return fail_tls("TLS");
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Many end without a close_notify of their own.
  ::SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (auto used = use_certificates(context.get(), settings); !used)
    return tl::unexpected<Error>(used.error());
  Session session(::SSL_new(context.get()));
  if (!session || ::SSL_set_fd(session.get(), fd.get()) != 1) return fail_tls("TLS");
  bool named = false;
  if (is_address(where.host)) {
    named =
        ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(session.get()), where.host.c_str()) == 1;
  } else {
    named = ::SSL_set1_host(session.get(), where.host.c_str()) == 1 &&
            ::SSL_set_tlsext_host_name(session.get(), where.host.c_str()) == 1;
  }
  if (!named) return fail_tls("TLS");
  auto stream =
      std::make_unique<TlsStream>(std::move(context), std::move(session), std::move(fd), patience);
  if (auto shaken = stream->shake_hands(); !shaken) return tl::unexpected<Error>(shaken.error());
  return stream;
}

}  // namespace ward::enforcer::sinks
