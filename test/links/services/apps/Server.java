// SPDX-License-Identifier: Apache-2.0
// Server.java PORT THREADS CLIENT LEAF...: the JDK's HTTP server. THREADS is
// "threads" (a pool of 64) or "virtual"; CLIENT is "connection"
// (HttpURLConnection) or "client" (java.net.http.HttpClient).

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Server {
    static final String TRUTH = "X-Truth-Id";
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final ExecutorService CALLERS = Executors.newFixedThreadPool(64);

    static String[] leaves;
    static boolean byClient;

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 256);
        server.setExecutor(args[1].equals("virtual") ? virtual() : Executors.newFixedThreadPool(64));
        byClient = args[2].equals("client");
        leaves = Arrays.copyOfRange(args, 3, args.length);
        server.createContext("/do/", Server::handle);
        server.start();
    }

    /** Found by name, so that a JDK without virtual threads compiles this. */
    static ExecutorService virtual() throws Exception {
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    static void handle(HttpExchange exchange) {
        try (exchange) {
            byte[] body;
            int status = 200;
            try {
                body = String.join(",", work(exchange)).getBytes(StandardCharsets.UTF_8);
            } catch (Exception e) {
                body = e.toString().getBytes(StandardCharsets.UTF_8);
                status = 502;
            }
            exchange.sendResponseHeaders(status, body.length);
            exchange.getResponseBody().write(body);
        } catch (Exception e) {
            e.printStackTrace();
        }
    }

    static List<String> work(HttpExchange exchange) throws Exception {
        String[] plan = exchange.getRequestURI().getPath().split("/");
        String truth = exchange.getRequestHeaders().getFirst(TRUTH);
        List<String> said = new ArrayList<>();
        List<Future<String>> pending = new ArrayList<>();
        for (int n = 0; n < Integer.parseInt(plan[3]); n++) {
            String url = "http://" + leaves[n % leaves.length] + "/leaf/" + plan[5];
            String id = truth + "." + n;
            long wait = Long.parseLong(plan[4]);
            if (plan[2].equals("par")) {
                pending.add(CALLERS.submit(() -> call(url, id, wait)));
            } else {
                said.add(call(url, id, wait));
            }
        }
        for (Future<String> f : pending) {
            said.add(f.get());
        }
        return said;
    }

    static String call(String url, String id, long wait) throws Exception {
        Thread.sleep(wait);
        if (byClient) {
            return CLIENT.send(HttpRequest.newBuilder(URI.create(url)).header(TRUTH, id).build(), BodyHandlers.ofString()).body();
        }
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setRequestProperty(TRUTH, id);
        try (InputStream in = connection.getInputStream()) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
