# SPDX-License-Identifier: Apache-2.0
# A small server, a child for each client, that speaks in lines: notes in a file, and reports.
use strict;
use warnings;
use Fcntl qw(:flock);
use File::Find;
use File::Temp qw(tempfile);
use IO::Socket::INET;
use POSIX qw(:sys_wait_h strftime);

my $store = '/var/lib/notes/notes.txt';
my $greeting = 'hello';

sub notes {
  open(my $in, '<', $store) or return ();
  chomp(my @all = <$in>);
  return @all;
}

my %commands = (
  GREET => sub { $greeting },
  ADD => sub {
    open(my $out, '>>', $store) or return "ERROR $!";
    flock($out, LOCK_EX) or return "ERROR $!";
    print {$out} "$_[0]\n";
    close($out) or return "ERROR $!";
    return 'kept';
  },
  COUNT => sub { scalar(my @all = notes()) },
  FIND => sub { my $what = $_[0]; join(',', grep { index($_, $what) >= 0 } notes()) },
  TIME => sub { strftime('%Y', localtime) },
  SORTED => sub { my $said = `sort $store`; $? == 0 ? join(',', split(/\n/, $said)) : "ERROR $?" },
  FILES => sub { my $n = 0; find(sub { ++$n if -f }, '/etc'); $n },
  WHERE => sub { gethostbyname('nowhere.invalid') ? 'known' : 'unknown' },
  REPLACE => sub {
    my ($out, $path) = tempfile(DIR => '/var/lib/notes');
    print {$out} "only\n";
    close($out) && chmod(0640, $path) && rename($path, $store) or return "ERROR $!";
    return 'replaced';
  },
  PROGRESS => sub {
    local $SIG{ALRM} = sub { die "late\n" };
    eval { alarm(1); select(undef, undef, undef, 3); alarm(0); 1 }
      or return $@ eq "late\n" ? 'late' : $@;
    return 'early';
  },
  PIPE => sub {
    pipe(my $in, my $out) or return "ERROR $!";
    my $pid = fork() // return "ERROR $!";
    if ($pid == 0) { print {$out} 42; close($out); POSIX::_exit(0) }
    close($out);
    my $said = <$in>;
    waitpid($pid, 0);
    return $said;
  },
  CLEAR => sub { unlink($store) ? 'gone' : "ERROR $!" },
);

my $ends = 0;
$SIG{TERM} = sub { $ends = 1 };
$SIG{HUP} = sub { $greeting = 'welcome' };
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 50, ReuseAddr => 1) or die $!;
until ($ends) {
  my $client = $server->accept;
  1 while waitpid(-1, WNOHANG) > 0;
  next unless $client;
  my $pid = fork() // do { close($client); next };
  if ($pid) { close($client); next }
  close($server);
  while (my $line = <$client>) {
    my ($name, $rest) = split(' ', $line, 2);
    chomp($rest //= '');
    my $command = $commands{$name // ''};
    print {$client} ($command ? $command->($rest) : 'ERROR no such command'), "\n";
    $client->flush;
  }
  POSIX::_exit(0);
}
exit 0;
