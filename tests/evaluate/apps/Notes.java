// SPDX-License-Identifier: Apache-2.0
// A small service: notes in a file, uploads, reports by threads and by a program.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.zip.GZIPOutputStream;

public class Notes {
  private static final Path STORE = Path.of("/var/lib/notes/notes.txt");
  private static final List<String> notes = new CopyOnWriteArrayList<>();

  interface Page {
    byte[] answer(byte[] body) throws Exception;
  }

  private static void answer(HttpExchange exchange, Page page) throws IOException {
    int status = 200;
    byte[] said;
    try {
      said = page.answer(exchange.getRequestBody().readAllBytes());
    } catch (Exception error) {
      status = 500;
      said = error.toString().getBytes();
    }
    exchange.sendResponseHeaders(status, said.length == 0 ? -1 : said.length);
    exchange.getResponseBody().write(said);
    exchange.close();
  }

  private static byte[] keep(byte[] body) throws IOException {
    notes.add(new String(body));
    Files.write(STORE, notes);
    return "kept".getBytes();
  }

  private static byte[] upload(byte[] body) throws IOException {
    ByteArrayOutputStream small = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(small)) {
      out.write(body);
    }
    Path kept = Files.createTempFile(Path.of("/var/lib/notes"), "upload", ".gz");
    Files.write(kept, small.toByteArray());
    Files.move(kept, Path.of("/var/lib/notes/upload.gz"),
               java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    return Integer.toString(small.size()).getBytes();
  }

  private static byte[] mapped(byte[] body) throws IOException {
    try (FileChannel file = FileChannel.open(Path.of("/var/lib/notes/map"),
             StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      var map = file.map(FileChannel.MapMode.READ_WRITE, 0, 65536);
      map.put(0, (byte) 'm');
      map.force();
      return ("" + (char) map.get(0)).getBytes();
    }
  }

  private static byte[] sorted(byte[] body) throws Exception {
    Process sort = new ProcessBuilder("sort").start();
    try (var in = sort.getOutputStream()) {
      in.write(String.join("\n", notes).getBytes());
    }
    return sort.getInputStream().readAllBytes();
  }

  private static byte[] work(byte[] body) throws Exception {
    long sum = notes.parallelStream().mapToLong(String::length).sum();
    byte[][] waste = new byte[40][];
    for (int i = 0; i < 400; ++i) waste[i % 40] = new byte[1 << 20];
    System.gc();
    return Long.toString(sum).getBytes();
  }

  private static byte[] where(byte[] body) {
    try {
      return InetAddress.getByName("nowhere.invalid").toString().getBytes();
    } catch (IOException error) {
      return "unknown".getBytes();
    }
  }

  private static byte[] self(byte[] body) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", 8080)) {
      return socket.isConnected() ? "connected".getBytes() : new byte[0];
    }
  }

  public static void main(String[] arguments) throws IOException {
    HttpServer server = HttpServer.create(new InetSocketAddress(8080), 50);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", e -> answer(e, b -> ("" + notes.size()).getBytes()));
    server.createContext("/all", e -> answer(e, b -> String.join("\n", notes).getBytes()));
    server.createContext("/notes", e -> answer(e, Notes::keep));
    server.createContext("/upload", e -> answer(e, Notes::upload));
    server.createContext("/mapped", e -> answer(e, Notes::mapped));
    server.createContext("/sorted", e -> answer(e, Notes::sorted));
    server.createContext("/work", e -> answer(e, Notes::work));
    server.createContext("/where", e -> answer(e, Notes::where));
    server.createContext("/self", e -> answer(e, Notes::self));
    server.createContext("/mistake", e -> answer(e, b -> Files.readAllBytes(Path.of("/nowhere"))));
    server.start();
  }
}
