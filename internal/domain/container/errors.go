package container

import "errors"

// Errors of engines.
var (
	// ErrEngineUnavailable: the engine did not answer, or not in words that make
	// sense. What its containers do is unknown, which is never the same as stopped.
	ErrEngineUnavailable = errors.New("engine is unavailable")
	// ErrNoContainer: the engine says that it has no container of this id.
	ErrNoContainer = errors.New("no such container")
	// ErrContainerExists: a container of this name is there, made by another operation.
	ErrContainerExists = errors.New("container of this name exists")
	// ErrNoImage: the engine has no such image and cannot get it.
	ErrNoImage = errors.New("no such image")
)
