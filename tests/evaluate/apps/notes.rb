# SPDX-License-Identifier: Apache-2.0
# A small service, a thread for each client: notes in a file, reports by a program and by a child.
require 'json'
require 'open3'
require 'socket'
require 'tempfile'
require 'zlib'

STORE = '/var/lib/notes/notes.json'
LOCK = Mutex.new
$notes = []

def page(method, path, body)
  case "#{method} #{path}"
  when 'GET /' then [200, $notes.size.to_s]
  when 'GET /all' then [200, $notes.to_json]
  when 'POST /notes'
    LOCK.synchronize do
      $notes << JSON.parse(body)['text']
      File.write(STORE, $notes.to_json)
    end
    [201, 'kept']
  when 'POST /upload'
    Tempfile.create('upload', '/var/lib/notes') do |file|
      file.write(Zlib.gzip(body))
      file.fsync
      [200, file.size.to_s]
    end
  when 'GET /sorted' then [200, Open3.capture2('sort', stdin_data: $notes.join("\n") + "\n")[0]]
  when 'GET /child'
    reader, writer = IO.pipe
    pid = fork { writer.write((6 * 7).to_s); exit!(0) }
    writer.close
    Process.wait(pid)
    [200, reader.read]
  when 'GET /where'
    [200, (Addrinfo.getaddrinfo('nowhere.invalid', 80)[0].ip_address rescue 'unknown')]
  when 'GET /files' then [200, Dir.glob('/etc/**/*').size.to_s]
  when 'GET /lock' then [200, File.open(STORE + '.lock', 'w') { |f| f.flock(File::LOCK_EX) }.to_s]
  when 'GET /gc'
    GC.start(full_mark: true)
    GC.compact if GC.respond_to?(:compact)
    [200, Array.new(100) { 'x' * 100_000 }.size.to_s]
  when 'GET /mistake' then raise 'as asked'
  when 'DELETE /notes'
    $notes.clear
    File.delete(STORE) if File.exist?(STORE)
    [200, 'gone']
  else [404, 'no such page']
  end
rescue StandardError => error
  [500, error.message]
end

def serve(client)
  method, path = client.gets.to_s.split
  length = 0
  while (line = client.gets) && line != "\r\n"
    length = line.split[1].to_i if line =~ /\Acontent-length:/i
  end
  status, body = page(method, path, length.positive? ? client.read(length) : '')
  client.write("HTTP/1.1 #{status} x\r\nContent-Length: #{body.bytesize}\r\n" \
               "Connection: close\r\n\r\n#{body}")
ensure
  client.close
end

trap('TERM') { exit(0) }
trap('HUP') { Thread.new { $notes = JSON.parse(File.read(STORE)) } }
server = TCPServer.new('0.0.0.0', 8080)
loop { Thread.new(server.accept) { |client| serve(client) } }
