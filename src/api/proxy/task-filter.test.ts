import assert from 'node:assert/strict';
import { test } from 'node:test';
import { takeTaskFilter } from './task-filter.ts';

const task = { Id: 't', Labels: { 'com.docker.swarm.task.id': 'x' } };
const plain = { Id: 'p', Labels: {} };
const unlabelled = { Id: 'u', Labels: null };
const queryOf = (filters: unknown, more: Readonly<Record<string, string>> = {}) => new URLSearchParams({ filters: JSON.stringify(filters), ...more });

test('containers of tasks, or all others, are chosen from the answer, in either form of the filter', () => {
  for (const [asked, expected] of [
    [{ 'is-task': { true: true } }, [task]],
    [{ 'is-task': ['1'] }, [task]],
    [{ 'is-task': { false: true } }, [plain, unlabelled]],
    [{ 'is-task': ['0'] }, [plain, unlabelled]],
  ] as const)
    assert.deepEqual(takeTaskFilter(queryOf(asked))?.select([task, plain, unlabelled]), expected);
});

test('the engine is asked with the other filters', () => {
  const { query } = takeTaskFilter(queryOf({ 'is-task': ['true'], status: ['exited'] }, { size: '1' })) ?? {};
  assert.deepEqual([query?.get('filters'), query?.get('size'), query?.has('all')], ['{"status":["exited"]}', '1', false]);
});

test('a limit counts the containers that are wanted', () => {
  const filter = takeTaskFilter(queryOf({ 'is-task': ['false'] }, { limit: '1' }));
  assert.deepEqual([filter?.query.get('all'), filter?.query.has('limit')], ['1', false]);
  assert.deepEqual(filter?.select([task, plain, unlabelled]), [plain]);
});

test('without the filter, or with a value that Docker refuses, the request is the engine’s', () => {
  for (const query of [new URLSearchParams(), queryOf({ status: ['exited'] }), queryOf({ 'is-task': ['yes'] }), queryOf({ 'is-task': ['true', 'false'] })])
    assert.equal(takeTaskFilter(query), undefined);
  assert.equal(takeTaskFilter(new URLSearchParams({ filters: '{' })), undefined);
});
