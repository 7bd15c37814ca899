module connector

go 1.24

require onefold v0.0.0

replace onefold => ../../../connector-sdk/go
