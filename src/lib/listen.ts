// How a server begins to listen, and what keeps it from ending the process later: an 'error' that nobody hears does that, and a server has one for each
// connection that it cannot accept (no file descriptor is left, say).

/** What is needed of a server of node:net, and of those on top of it. */
interface Listening {
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * Resolves once the server listens; `begin` calls its `listen` with what it is given. Rejects with the server's error, or with what `begin` throws. Errors that
 * come later cost a connection and nothing else; `onError` may tell of them.
 */
export function listening(server: Listening, begin: (done: () => void) => void, onError: (error: Error) => void = () => {}): Promise<void> {
  return new Promise((resolve, reject) => {
    let isListening = false;
    server.on('error', (error) => {
      if (isListening) onError(error);
      else reject(error);
    });
    begin(() => {
      isListening = true;
      resolve();
    });
  });
}
