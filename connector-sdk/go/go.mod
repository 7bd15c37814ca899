module onefold

go 1.24
