module oarlock.dev/tests/contract

go 1.21
