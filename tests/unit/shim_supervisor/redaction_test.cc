// SPDX-License-Identifier: Apache-2.0
#include "shim/supervisor/redaction.h"

#include <gtest/gtest.h>

namespace ward::shim::supervisor {
namespace {

struct Row {
  const char* given;
  const char* kept;
};

// Honest and hostile, in no order that a rule could follow: what is not named as kept goes.
constexpr Row kArguments[] = {
    // options and their names
    {"-v", "-v"},
    {"-P", "-P"},
    {"-", "-"},
    {"--", "--"},
    {"", ""},
    {"--verbose", "--verbose"},
    {"--log-level", "--log-level"},
    {"--utf8", "--utf8"},
    {"--sha256-of", "--sha256-of"},
    {"--no-dbl-buf", "--no-dbl-buf"},
    {"--port-8080", "--port-8080"},
    // their values
    {"--token=s3cret", "--token=<redacted>"},
    {"--token=", "--token=<redacted>"},
    {"--header=Authorization=Bearer x", "--header=<redacted>"},
    {"--db-password=a b", "--db-password=<redacted>"},
    // the value in the same argument, without a sign between
    {"-pSecret", "<redacted, 8 bytes>"},
    {"-p=Secret", "<redacted, 9 bytes>"},
    {"-uroot", "<redacted, 6 bytes>"},
    {"-xvf", "<redacted, 4 bytes>"},
    {"-9", "<redacted, 2 bytes>"},
    {"-:", "<redacted, 2 bytes>"},
    // the value in the next argument
    {"Secret", "<redacted, 6 bytes>"},
    {"secret", "<redacted, 6 bytes>"},
    {"hunter2", "<redacted, 7 bytes>"},
    {"4711", "<redacted, 4 bytes>"},
    {"/etc/app/key", "<redacted, 12 bytes>"},
    {"https://u:p@host/", "<redacted, 17 bytes>"},
    // names before a value where no option is
    {"PASSWORD=x", "<redacted, 10 bytes>"},
    {"run DB_PASSWORD=x", "<redacted, 17 bytes>"},
    {"--run DB_PASSWORD=x", "<redacted, 19 bytes>"},
    {"--env DB_PASSWORD=x --out", "<redacted, 25 bytes>"},
    {" --token=x", "<redacted, 10 bytes>"},
    // base64, hexadecimal, tokens
    {"c2VjcmV0Cg==", "<redacted, 12 bytes>"},
    {"--c2VjcmV0Cg==", "<redacted, 14 bytes>"},
    {"--c2vjcmv0cg==", "<redacted, 14 bytes>"},
    {"--deadbeef0badcafe", "<redacted, 18 bytes>"},
    {"--ghp_16charsoftoken", "<redacted, 20 bytes>"},
    {"--abcdefghijklmnopq", "<redacted, 19 bytes>"},
    {"--a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q", "<redacted, 35 bytes>"},
    {"--550e8400-e29b-41d4-a716-446655440000", "<redacted, 38 bytes>"},
    {"--pin-123456", "<redacted, 12 bytes>"},
    {"--pass1234", "<redacted, 10 bytes>"},
    // what looks like an option and is none
    {"---", "<redacted, 3 bytes>"},
    {"--Secret", "<redacted, 8 bytes>"},
    {"--secret-", "<redacted, 9 bytes>"},
    {"--secret--x", "<redacted, 11 bytes>"},
    {"--secret:x", "<redacted, 10 bytes>"},
    {"--=x", "<redacted, 4 bytes>"},
    {"--s\xc3\xa9"
     "cret",
     "<redacted, 9 bytes>"},
    {"\xe2\x80\x94token", "<redacted, 8 bytes>"},
    {"\x1b[31m--ok", "<redacted, 9 bytes>"},
};

constexpr Row kVariables[] = {
    {"PATH=/bin", "PATH=<redacted>"},
    {"DB_PASSWORD=x", "DB_PASSWORD=<redacted>"},
    {"http_proxy=http://u:p@h", "http_proxy=<redacted>"},
    {"KUBERNETES_PORT_6443_TCP=x", "KUBERNETES_PORT_6443_TCP=<redacted>"},
    {"PYTHON_SHA256=ab", "PYTHON_SHA256=<redacted>"},
    {"_=/bin/sh", "_=<redacted>"},
    {"EMPTY=", "EMPTY=<redacted>"},
    {"TWO=a=b", "TWO=<redacted>"},
    // what a title written over the environment leaves of a value
    {"secret", "<redacted, 6 bytes>"},
    {"ret SECOND=x", "<redacted, 12 bytes>"},
    {"c2VjcmV0Cg==", "<redacted, 12 bytes>"},
    {"deadbeef00112233=", "<redacted, 17 bytes>"},
    {"=x", "<redacted, 2 bytes>"},
    {"A B=x", "<redacted, 5 bytes>"},
    {"Mixed_Case=x", "<redacted, 12 bytes>"},
    {"BASH_FUNC_which%%=x", "<redacted, 19 bytes>"},
    {"\x1b]0;X=1", "<redacted, 7 bytes>"},
    {"4711=x", "<redacted, 6 bytes>"},
    {"AKIAIOSFODNN7EXAMPLE=x", "<redacted, 22 bytes>"},
    {"", "<redacted, 0 bytes>"},
};

TEST(Redaction, H06_OfArgumentsOnlyWhatIsNamedIsKept) {
  for (const Row& row : kArguments) EXPECT_EQ(redact_argument(row.given), row.kept) << row.given;
}

TEST(Redaction, H06_OfVariablesOnlyWellFormedNamesAreKept) {
  for (const Row& row : kVariables) EXPECT_EQ(redact_variable(row.given), row.kept) << row.given;
}

TEST(Redaction, H06_TheFirstArgumentIsKeptWhereTheKernelSaysTheSame) {
  struct Program {
    const char *argument, *exe, *comm, *kept;
  };
  const Program programs[] = {
      {"/usr/sbin/nginx", "/usr/sbin/nginx", "nginx", "/usr/sbin/nginx"},
      {"nginx", "/usr/sbin/nginx", "nginx", "nginx"},
      {"/usr/sbin/nginx", "/usr/sbin/nginx (deleted)", "nginx", "/usr/sbin/nginx"},
      {"./nginx", "/srv/nginx", "nginx", "nginx"},
      {"-bash", "/usr/bin/bash", "bash", "-bash"},
      {"/bin/sh", "/usr/bin/dash", "sh", "sh"},
      {"sh", "/bin/busybox", "sh", "sh"},
      {"", "/bin/a", "a", ""},
      {"hunter2", "/usr/bin/dash", "sh", "<redacted, 7 bytes>"},
      {"mysql -pSecret", "/usr/bin/mysql", "mysql", "<redacted, 14 bytes>"},
      {"nginx: master process", "/usr/sbin/nginx", "nginx", "<redacted, 21 bytes>"},
      {"/Secret/nginx", "/usr/sbin/nginx", "nginx", "nginx"},
      {"Secret/nginx ", "/usr/sbin/nginx", "nginx", "<redacted, 13 bytes>"},
      {"-", "/usr/bin/bash", "bash", "<redacted, 1 bytes>"},
      {"/", "", "", "<redacted, 1 bytes>"},
      {"Secret", "", "", "<redacted, 6 bytes>"},
      {"--token", "/bin/a", "a", "<redacted, 7 bytes>"},
  };
  for (const Program& p : programs)
    EXPECT_EQ(redact_program(p.argument, p.exe, p.comm), p.kept) << p.argument;
}

}  // namespace
}  // namespace ward::shim::supervisor
