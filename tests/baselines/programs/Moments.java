// SPDX-License-Identifier: Apache-2.0
// Moments of a life as the Java virtual machine lives them.
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import sun.misc.Signal;

public class Moments {
  interface Moment {
    void live() throws Exception;
  }

  static void raise(String name) throws Exception {
    Signal.raise(new Signal(name));
    Thread.sleep(5000);
  }

  static void leave() {
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("last words")));
    System.exit(3);
  }

  static void exitInThread() throws Exception {
    new Thread(() -> Runtime.getRuntime().halt(4)).start();
    Thread.sleep(5000);
  }

  static void handled() throws Exception {
    CountDownLatch seen = new CountDownLatch(3);
    for (String name : new String[] {"TERM", "HUP", "INT"}) {
      Signal.handle(new Signal(name), signal -> seen.countDown());
      Signal.raise(new Signal(name));
    }
    if (!seen.await(5, TimeUnit.SECONDS)) System.exit(1);
  }

  // Writes down what it knows (hs_err), and aborts.
  static void fault() throws Exception {
    java.lang.reflect.Field field = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    ((sun.misc.Unsafe) field.get(null)).putAddress(8, 1);
  }

  static int deep(int level) {
    return deep(level + 1) + 1;
  }

  static void overflow() {
    try {
      deep(0);
    } catch (StackOverflowError expected) {
      return;
    }
    System.exit(1);
  }

  // The heap's limit stands in the command.
  static void memoryFull() {
    List<byte[]> kept = new ArrayList<>();
    try {
      while (true) kept.add(new byte[1 << 20]);
    } catch (OutOfMemoryError expected) {
      kept.clear();
    }
  }

  static void memoryChurn() {
    byte[][] kept = new byte[64][];
    for (int round = 0; round < 200000; ++round) kept[round % 64] = new byte[round * 37 % 65536];
    System.gc();
  }

  static void find(String host, boolean wanted) {
    try {
      InetAddress.getAllByName(host);
      if (!wanted) System.exit(1);
    } catch (java.net.UnknownHostException error) {
      if (wanted) System.exit(1);
    }
  }

  static void timeZones() throws Exception {
    System.out.println(ZonedDateTime.now(ZoneId.of("Europe/Berlin")));
    TimeZone.setDefault(TimeZone.getTimeZone("Asia/Tokyo"));
    System.out.println(new java.util.Date() + " " + System.nanoTime());
    Thread.sleep(2);
  }

  static void threads() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    for (int i = 0; i < 64; ++i) pool.submit(() -> System.identityHashCode(new Object()));
    pool.shutdown();
    pool.awaitTermination(5, TimeUnit.SECONDS);
    ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
    timer.schedule(() -> {}, 5, TimeUnit.MILLISECONDS).get();
    timer.shutdownNow();
    Object lock = new Object();
    synchronized (lock) {
      lock.wait(5);
    }
    Thread.yield();
  }

  static void stdio() throws Exception {
    Files.readAllLines(Path.of("/etc/hosts"));
    Path own = Files.createTempFile("moments", "");
    Files.writeString(own, "line\n".repeat(5000));
    Files.delete(own);
    System.out.println("to standard output");
    System.err.println("to standard error");
    Files.exists(Path.of("/nowhere/nothing"));
    new java.security.SecureRandom().nextInt();
  }

  static void spawn() throws Exception {
    Process child = new ProcessBuilder("/bin/sh", "-c", "echo spawned").start();
    child.getInputStream().readAllBytes();
    child.waitFor();
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, Moment> moments = new HashMap<>();
    moments.put("start", () -> {});
    moments.put("exit", Moments::leave);
    moments.put("exit-in-thread", Moments::exitInThread);
    moments.put("uncaught", () -> { throw new IllegalStateException("not caught"); });
    moments.put("term", () -> raise("TERM"));
    moments.put("hup", () -> raise("HUP"));
    moments.put("handled", Moments::handled);
    moments.put("fault", Moments::fault);
    moments.put("overflow", Moments::overflow);
    moments.put("memory-full", Moments::memoryFull);
    moments.put("memory-churn", Moments::memoryChurn);
    moments.put("names-file", () -> find("localhost", true));
    moments.put("names-answered", () -> find("answered.test", true));
    moments.put("names-refused", () -> find("refused.test", false));
    moments.put("names-silent", () -> find("silent.test", false));
    moments.put("time", Moments::timeZones);
    moments.put("threads", Moments::threads);
    moments.put("stdio", Moments::stdio);
    moments.put("locale", () -> System.out.println(String.format(Locale.GERMANY, "%,d", 12345)));
    moments.put("spawn", Moments::spawn);
    moments.get(arguments[0]).live();
  }
}
