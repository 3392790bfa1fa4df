import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOf } from './sockets.ts';

// Lines as Linux 6.18 writes them.
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2112 1 0000000000000000 100 0 0 10 0
   1: 020011AC:1F90 0100A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 2113 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C351 01 00000000:00000000 00:00000000 00000000     0        0 2114 1 0000000000000000 20 4 30 10 -1
   3: 020011AC:C352 0100A8C0:0050 06 00000000:00000000 00:00000000 00000000     0        0 2115 1 0000000000000000 20 4 30 10 -1`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0000000000000000FFFF0000020011AC:0050 0000000000000000FFFF00000100A8C0:C353 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:C353 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:0050 00000000000000000000000001000000:C353 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1217: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0`;

test('listening ports and connections from outside are read from the kernel’s tables', () => {
  const table = tableOf(`${TCP}\n${TCP6}`, UDP);
  assert.deepEqual(table.listening.tcp, new Set([8080, 80]));
  assert.deepEqual([...table.listening.udp], [53]);
  assert.deepEqual(table.established, [8080, 80]);
});
