// Package fakeengine is an engine that runs no programs. Its containers are entries in
// memory, and a test controls when they exit and how the engine fails.
//
// Use it to test code above ports.Engine with many games, or with a state that a real engine
// reaches rarely or slowly. Examples are a crash at a certain step, a container that hangs,
// and an engine that is unavailable or lists no containers. Use a real engine, through
// nodetest, if the test depends on processes, ports, logs or health checks.
//
// It keeps the contract of ports.Engine, which its tests check with enginetest.
//
//	machine.go  Machine: the containers of one host, and its faults; a new fault goes here
//	engine.go   Engine: ports.Engine for one owner of containers
//	stream.go   Engine.Events
package fakeengine
