// JSON objects that come one after another, with or without line ends between them.

/** Longer objects are none that a daemon sends. */
const MAX_OBJECT_LENGTH = 16 * 1024 * 1024;

export async function* jsonObjects(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = '';
  let depth = 0;
  let inString = false;
  let escaped = false;
  for await (const chunk of stream) {
    for (const letter of typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })) {
      if (depth === 0 && letter !== '{') continue;
      text += letter;
      if (inString) {
        if (escaped) escaped = false;
        else if (letter === '\\') escaped = true;
        else if (letter === '"') inString = false;
      } else if (letter === '"') inString = true;
      else if (letter === '{') depth += 1;
      else if (letter === '}') {
        depth -= 1;
        if (depth === 0) {
          yield text;
          text = '';
        }
      }
      if (text.length > MAX_OBJECT_LENGTH) throw new Error('the daemon sent an object without end');
    }
  }
}
