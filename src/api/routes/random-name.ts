// Names for services whose user gave none: "adjective_surname", as Docker makes them for containers and services.
import { randomInt } from 'node:crypto';

const adjectives = words(`
  amber bold brave bright brisk calm candid cheerful clever cosmic crisp daring eager earnest epic fearless festive fluent friendly gallant
  gentle golden graceful happy hardy honest hopeful humble jolly keen kind lively loving lucid mellow merry modest nimble noble patient
  peaceful playful polite proud quiet quick radiant relaxed serene sharp silent steady sunny swift tender thirsty upbeat vibrant vigilant warm
  witty wise zealous zen
`);

const surnames = words(`
  ampere archimedes babbage bardeen bell blackwell bohr boyd cannon carson cerf chandrasekhar cori curie darwin dijkstra einstein elion euclid
  euler faraday fermat fermi feynman franklin galileo gauss goodall hamilton hawking heisenberg hertz hodgkin hoover hopper hypatia jackson
  johnson kepler khorana knuth lamarr lamport leavitt liskov lovelace maxwell mccarthy meitner mendel mirzakhani newton nightingale noether
  pasteur perlman planck ramanujan ritchie sagan shannon tesla thompson turing wilson wozniak yalow
`);

export function randomName(): string {
  return `${adjectives[randomInt(adjectives.length)]}_${surnames[randomInt(surnames.length)]}`;
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
