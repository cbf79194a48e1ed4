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
	// ErrNodeFault matches the errors of NodeFault. It is never returned itself.
	ErrNodeFault = errors.New("the node cannot run the container")
)

// NodeFault returns err as the error of a container that this node cannot run, although another node
// may: a port is in use, no port is free, a network is missing. The text is that of err, and the
// error matches ErrNodeFault too. It returns nil for nil.
func NodeFault(err error) error {
	if err == nil {
		return nil
	}
	return &nodeFaultError{err}
}

type nodeFaultError struct{ error }

func (f *nodeFaultError) Unwrap() error { return f.error }

// Is reports whether target is ErrNodeFault.
func (f *nodeFaultError) Is(target error) bool { return target == ErrNodeFault }
