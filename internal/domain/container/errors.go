package container

import "errors"

// Errors of engines.
var (
	// ErrEngineUnavailable is returned if the engine did not respond or its response was
	// malformed. The state of its containers is unknown, which is not the same as stopped.
	ErrEngineUnavailable = errors.New("engine is unavailable")
	// ErrNoContainer is returned if the engine has no container with this ID.
	ErrNoContainer = errors.New("no such container")
	// ErrContainerExists is returned if another operation created a container with this name.
	ErrContainerExists = errors.New("container of this name exists")
	// ErrNoImage is returned if the engine does not have the image and cannot get it.
	ErrNoImage = errors.New("no such image")
	// ErrRegistryUnreachable is returned if the engine does not have the image, and the
	// registry does not respond or fails. A retry may succeed.
	ErrRegistryUnreachable = errors.New("image registry is unreachable")
)
