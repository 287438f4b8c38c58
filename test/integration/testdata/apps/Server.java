// SPDX-License-Identifier: Apache-2.0
// JDK HttpServer under test: java Server.java PORT.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

public final class Server {
    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 128);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", Server::serve);
        server.start();
    }

    private static byte[] pattern(int n) {
        byte[] b = new byte[n];
        for (int i = 0; i < n; i++) {
            b[i] = (byte) ('a' + i % 26);
        }
        return b;
    }

    private static void serve(HttpExchange x) throws IOException {
        String[] path = x.getRequestURI().getPath().split("/");
        String route = path.length > 1 ? path[1] : "";
        byte[] body = x.getRequestBody().readAllBytes();
        switch (route) {
            case "ok" -> reply(x, 200, text("ok\n"));
            case "fail" -> reply(x, 500, text("bad\n"));
            case "empty" -> reply(x, 204, null);
            case "notmodified" -> reply(x, 304, null);
            case "size" -> reply(x, 200, pattern(Integer.parseInt(path[2])));
            case "chunked" -> pieces(x, pattern(Integer.parseInt(path[2])), 1000, 0);
            case "stream" -> pieces(x, pattern(100), 100, 250);
            case "echo" -> reply(x, 200, body);
            default -> reply(x, 404, text("no\n"));
        }
        x.close();
    }

    private static byte[] text(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }

    private static void reply(HttpExchange x, int status, byte[] body) throws IOException {
        boolean head = x.getRequestMethod().equals("HEAD");
        if (body != null && head) {
            x.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
        }
        if (body == null || head || body.length == 0) {
            x.sendResponseHeaders(status, -1);
            return;
        }
        x.sendResponseHeaders(status, body.length);
        x.getResponseBody().write(body);
    }

    /** Sends body in flushed pieces; with a delay, four times with that many milliseconds between. */
    private static void pieces(HttpExchange x, byte[] body, int piece, int delay) throws IOException {
        x.sendResponseHeaders(200, 0);
        OutputStream out = x.getResponseBody();
        for (int round = 0; round < (delay > 0 ? 4 : 1); round++) {
            if (round > 0) {
                pause(delay);
            }
            for (int at = 0; at < body.length; at += piece) {
                out.write(body, at, Math.min(piece, body.length - at));
                out.flush();
            }
        }
        out.close();
    }

    private static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
