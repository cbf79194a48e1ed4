// Package planted has bugs that a build with the tag planted can activate, one per process. They
// show that the fault harness (internal/testkit/chaos) and the tests of the stores detect such bugs.
//
//	RTMANAGER_PLANTED_BUG=lost_event go test -tags planted -run Watch ./internal/adapters/etcdstore
//
// A build without the tag has none of them: Is and Sometimes are constants there, and the compiler
// removes what they guard. The test of this package verifies it with the program that is released.
//
// Product code has a hook of one to three lines per bug, where a developer could make the mistake:
//
//	if planted.Is(planted.BlindResend) {
//		return result, false, nil
//	}
//
// .ci/planted runs, for each bug, the existing test that detects it, and fails if one passes. A new
// bug needs a constant in bugs.go, a hook, and a row in .ci/planted.
package planted
