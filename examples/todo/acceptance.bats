#!/usr/bin/env bats
# What a user of the application expects of it. URL is where it answers.

get() { curl -fsS --max-time 10 "$URL$1"; }

@test "the root page answers" {
  run get /
  [ "$status" -eq 0 ]
  [[ "$output" == *"<h1>Todos</h1>"* ]]
}

@test "static files were collected" {
  run get /static/style.css
  [ "$status" -eq 0 ]
  [[ "$output" == *"font-family"* ]]
}

@test "the list of todos is empty" {
  run get /todos
  [ "$status" -eq 0 ]
  [ "$output" = "[]" ]
}

@test "a todo that was created is listed" {
  run curl -fsS --max-time 10 -d title=milk "$URL/todos"
  [ "$status" -eq 0 ]
  run get /todos
  [[ "$output" == *'"title": "milk"'* ]]
}

@test "a todo that was deleted is not" {
  id=$(get /todos | sed -n 's/.*"id": \([0-9]*\).*/\1/p')
  run curl -fsS --max-time 10 -X DELETE "$URL/todos/$id"
  [ "$status" -eq 0 ]
  run get /todos
  [ "$output" = "[]" ]
}
