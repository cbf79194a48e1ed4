// Package fakeengine is an engine that runs no programs. Its containers are entries in
// memory, and a test controls when they exit and how the engine fails.
//
// Use it to test code above ports.Engine: for a state that a real engine reaches rarely or
// slowly (a crash at a certain step, a container that hangs, an engine that is unavailable
// or lists no containers), and for tests with many games. Use a real engine, through
// nodetest, if the test depends on processes, ports, logs or health checks.
//
// It keeps the contract of ports.Engine, which its tests check with enginetest.
//
//	machine.go  Machine: the containers of one host, and the faults that a test injects
//	engine.go   Engine: ports.Engine for one owner of containers
//	stream.go   Engine.Events
package fakeengine
