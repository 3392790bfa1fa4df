import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#lib/errors.ts';
import { secretSpecShape } from './secret-config.ts';
import { serviceSpecShape } from './service-spec.ts';
import { decodeBody } from './shape.ts';

function refusal(body: unknown): string {
  try {
    decodeBody(serviceSpecShape, body);
  } catch (error) {
    assert.ok(error instanceof AppError && error.httpStatus === 400);
    return error.message;
  }
  return assert.fail('was accepted');
}

test('a value of the wrong type is refused with the struct, path and type that Go names', () => {
  const prefix = 'invalid JSON: json: cannot unmarshal';
  assert.equal(
    refusal({ Mode: { Replicated: { Replicas: -1 } } }),
    `${prefix} number -1 into Go struct field ReplicatedService.Mode.Replicated.Replicas of type uint64`,
  );
  assert.equal(refusal({ Name: 5 }), `${prefix} number into Go struct field ServiceSpec.Name of type string`);
  assert.equal(
    refusal({ TaskTemplate: { ContainerSpec: { Env: 'A=1' } } }),
    `${prefix} string into Go struct field ContainerSpec.TaskTemplate.ContainerSpec.Env of type []string`,
  );
  assert.equal(
    refusal({ TaskTemplate: { RestartPolicy: { Delay: 1.5 } } }),
    `${prefix} number 1.5 into Go struct field RestartPolicy.TaskTemplate.RestartPolicy.Delay of type time.Duration`,
  );
  assert.equal(refusal([]), `${prefix} array into Go value of type swarm.ServiceSpec`);
  assert.equal(refusal({ Labels: { a: true } }), `${prefix} bool into Go struct field ServiceSpec.Labels of type string`);
});

test('unknown fields are dropped, null means absent, and keys match in any case', () => {
  assert.deepEqual(decodeBody(serviceSpecShape, { name: 'web', Bogus: 1, LABELS: { A: 'b' }, Mode: null }), { Name: 'web', Labels: { A: 'b' } });
  assert.deepEqual(decodeBody(serviceSpecShape, undefined), {});
});

test('a label called __proto__ stays a label', () => {
  const decoded = decodeBody(serviceSpecShape, JSON.parse('{"Labels":{"__proto__":"x"}}'));
  assert.deepEqual(Object.keys(decoded.Labels ?? {}), ['__proto__']);
  assert.equal(Object.getPrototypeOf(decoded.Labels), Object.prototype);
});

test('data must be base64, and the message says where it is not', () => {
  assert.deepEqual(decodeBody(secretSpecShape, { Data: 'YWJj\n' }), { Data: 'YWJj' });
  for (const [data, place] of [
    ['%%%', 0],
    ['YW?j', 2],
    ['YWJ', 0],
  ] as const) {
    assert.throws(() => decodeBody(secretSpecShape, { Data: data }), { message: `invalid JSON: illegal base64 data at input byte ${place}` });
  }
});

test('numbers that JSON could not give back as the same type are refused', () => {
  const delay = (value: number) => ({ TaskTemplate: { RestartPolicy: { Delay: value } } });
  assert.match(refusal(delay(2 ** 63)), /number 9223372036854775807|number 9223372036854776000/);
  assert.deepEqual(decodeBody(serviceSpecShape, delay(2 ** 53)), delay(2 ** 53));
});

test('whatever comes in, it is decoded or refused with 400', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      try {
        decodeBody(serviceSpecShape, { Name: body, TaskTemplate: body, Mode: { Replicated: body } });
      } catch (error) {
        assert.ok(error instanceof AppError);
        assert.equal(error.httpStatus, 400);
      }
    }),
  );
});
