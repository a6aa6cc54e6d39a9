<?php
// SPDX-License-Identifier: Apache-2.0
// A small service: notes in SQLite, sessions, uploads, reports by a program.
function answer($body, int $status = 200): void {
    http_response_code($status);
    echo is_string($body) ? $body : json_encode($body);
}

$store = new SQLite3('/var/lib/notes/notes.db');
$store->busyTimeout(2000);
$store->exec('CREATE TABLE IF NOT EXISTS notes (text TEXT)');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
switch ($_SERVER['REQUEST_METHOD'] . ' ' . $path) {
    case 'GET /':
        answer(['notes' => $store->querySingle('SELECT COUNT(*) FROM notes')]);
        break;
    case 'GET /all':
        $all = [];
        $rows = $store->query('SELECT text FROM notes');
        while ($row = $rows->fetchArray()) {
            $all[] = $row[0];
        }
        answer($all);
        break;
    case 'POST /notes':
        $kept = $store->prepare('INSERT INTO notes VALUES (:text)');
        $kept->bindValue(':text', json_decode(file_get_contents('php://input'))->text);
        $kept->execute();
        answer('kept', 201);
        break;
    case 'GET /session':
        session_start();
        $_SESSION['times'] = ($_SESSION['times'] ?? 0) + 1;
        answer(['times' => $_SESSION['times']]);
        break;
    case 'POST /upload':
        $file = $_FILES['file']['tmp_name'];
        move_uploaded_file($file, '/var/lib/notes/upload');
        answer(['size' => strlen(gzencode(file_get_contents('/var/lib/notes/upload')))]);
        break;
    case 'GET /sorted':
        answer(shell_exec('printf "b\na\n" | sort') ?? 'nothing', 200);
        break;
    case 'GET /mail':
        answer(['sent' => @mail('nobody@localhost', 'subject', 'text')]);
        break;
    case 'GET /where':
        answer(gethostbyname('nowhere.invalid'));
        break;
    case 'GET /fetch':
        $other = @fsockopen('127.0.0.1', 9, $code, $said, 1);
        answer(['open' => $other !== false, 'said' => $said]);
        break;
    case 'GET /mistake':
        throw new RuntimeException('as asked');
    case 'GET /walk':
        $files = new RecursiveIteratorIterator(new RecursiveDirectoryIterator('/etc/php'));
        answer(['files' => iterator_count($files), 'glob' => count(glob('/etc/*'))]);
        break;
    case 'GET /lock':
        $lock = fopen('/var/lib/notes/lock', 'c');
        answer(['locked' => flock($lock, LOCK_EX), 'temp' => tempnam('/tmp', 'note') !== false]);
        break;
    default:
        answer('no such page', 404);
}
