<?php
// SPDX-License-Identifier: Apache-2.0
// Makes its calls one after the other, on new connections.
$leaves = explode(',', getenv('LEAVES') ?: $_SERVER['LEAVES']);
[, , , $calls, $wait, $leafTime] = explode('/', $_SERVER['REQUEST_URI']);
$said = [];
for ($n = 0; $n < (int) $calls; $n++) {
    usleep(1000 * (int) $wait);
    $context = stream_context_create(['http' => ['protocol_version' => 1.1, 'header' => [
        "X-Truth-Id: {$_SERVER['HTTP_X_TRUTH_ID']}.$n", 'Connection: close',
    ]]]);
    $said[] = file_get_contents("http://{$leaves[$n % count($leaves)]}/leaf/$leafTime", false, $context);
}
echo implode(',', $said);
