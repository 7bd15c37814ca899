// Package onefold is for writing Onefold connectors in Go. A connector is a value of [Connector] whose functions read
// from a vendor and write to it; the build turns it into a WebAssembly component, and a test runs the same value over the
// hub of package onefoldtest. The package owns configuration, classes of errors, paging and the cutting of records out
// of pages. It knows no vendor.
package onefold
