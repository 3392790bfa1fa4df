#!/usr/bin/env bats
# What a user of the application expects of it. URL is where it answers.

@test "the root page answers" {
  run curl -fsS --max-time 5 "$URL/"
  [ "$status" -eq 0 ]
  [ "$output" = "Todo" ]
}

@test "static files were collected" {
  run curl -fsS --max-time 5 "$URL/static/style.css"
  [ "$status" -eq 0 ]
  [ "$output" = "body { color: blue }" ]
}

@test "the list of todos is empty" {
  run curl -fsS --max-time 5 "$URL/cgi-bin/todos"
  [ "$status" -eq 0 ]
  [ "$output" = "" ]
}

@test "a todo that was created is listed" {
  curl -fsS --max-time 5 "$URL/cgi-bin/todos?create=milk"
  run curl -fsS --max-time 5 "$URL/cgi-bin/todos"
  [ "$output" = "milk" ]
}

@test "a todo that was deleted is not" {
  curl -fsS --max-time 5 "$URL/cgi-bin/todos?delete=milk"
  run curl -fsS --max-time 5 "$URL/cgi-bin/todos"
  [ "$output" = "" ]
}
