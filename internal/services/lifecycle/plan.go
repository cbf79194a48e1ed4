package lifecycle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/imageversion"
	"galaxy/rtmanager/internal/ports"
)

// gameState is the state of a game when a request arrives.
type gameState struct {
	record *runtime.RuntimeRecord // nil if the game has none
	intent operation.Intent
	// container is the state of the record's container, empty if the engine has none.
	container container.State
	// containerSecrets are the versions of secrets that this container was created with, and
	// secrets the present ones of the game's spec.
	containerSecrets, secrets string
	// hasTakenPorts reports that another program uses a port of this container, which does not
	// run.
	hasTakenPorts bool
	// containerDigest identifies the content that this container was created from, and
	// imageDigest the one that its image reference names now. Either is empty if unknown.
	containerDigest, imageDigest string
}

// plan returns the operation for a request, with kind, spec and generation. It is a pure
// function. It rejects a request with *runtime.InvalidError, *operation.RejectedError or
// runtime.ErrNotFound.
func plan(request ports.OperationRequest, state gameState) (operation.Operation, error) {
	op := operation.Operation{Kind: request.Kind, Spec: state.spec(), Pull: request.Pull}
	if request.Kind != operation.KindStart && state.record == nil {
		return op, fmt.Errorf("%s game %q: %w", request.Kind, request.GameID, runtime.ErrNotFound)
	}
	switch request.Kind {
	case operation.KindStart:
		return planStart(op, request, state)
	case operation.KindPatch:
		return planPatch(op, request, state)
	case operation.KindCleanup:
		if state.record.Status == runtime.StatusRunning {
			return op, state.rejectedError(request, "the game is running; stop it first")
		}
		if state.record.Status == runtime.StatusStopped && state.container == container.StateRunning {
			return op, state.rejectedError(request, "the container is running although the record is stopped; stop it first")
		}
		return op, nil
	case operation.KindStop:
		if state.record.Status == runtime.StatusRemoved {
			return op, state.rejectedError(request, "the game has been removed; there is nothing to stop")
		}
		return op, nil
	default: // operation.KindRestart
		if state.record.Status == runtime.StatusRemoved {
			return op, state.rejectedError(request, "the game has been removed; start it instead")
		}
		if state.container != "" && state.secrets != state.containerSecrets {
			op.Generation = state.nextGeneration() // a container has the values of its creation
		}
		return op, nil
	}
}

// planStart keeps the container if it can serve the requested spec.
func planStart(op operation.Operation, request ports.OperationRequest, state gameState) (operation.Operation, error) {
	if request.Spec != nil {
		op.Spec = request.Spec.Clone()
		op.Spec.Image = cmp.Or(op.Spec.Image, state.spec().Image)
	}
	if err := op.Spec.Validate(); err != nil {
		return op, err
	}
	same := hasSameContainerSettings(op.Spec, state.spec()) && state.isOnNetwork(op.Spec.Network)
	if state.record != nil && state.record.Status == runtime.StatusRunning && request.Spec != nil && (!same || !hasSameOtherSettings(op.Spec, state.spec())) {
		return op, state.rejectedError(request, "the game is running with other settings; stop it first, or patch it to change the image")
	}
	if state.record != nil && state.record.Status == runtime.StatusRunning {
		if request.Labels != nil && !maps.Equal(request.Labels, state.record.Labels) {
			return op, state.rejectedError(request, "the game is running with other labels; change its labels instead")
		}
		if request.Metadata != "" && request.Metadata.Normal() != state.record.Metadata {
			return op, state.rejectedError(request, "the game is running with other metadata; change its metadata instead")
		}
	}
	isPulled := request.Pull && state.container != container.StateRunning
	if state.record == nil || state.record.Status == runtime.StatusRemoved || state.container == "" || !same || state.hasStaleSecrets() || state.hasTakenPorts || isPulled {
		op.Generation = state.nextGeneration()
	}
	return op, nil
}

// planPatch allows another patch version only, unless the request forces the change. A patch to
// the same image creates a new container if the reference names another content now, or if
// the request forces or pulls it. A patch of the spec creates one unless the container can serve
// the spec.
func planPatch(op operation.Operation, request ports.OperationRequest, state gameState) (operation.Operation, error) {
	image := request.Image
	if request.Spec != nil {
		op.Spec = request.Spec.Clone()
		image = cmp.Or(image, op.Spec.Image, state.spec().Image)
		op.Spec.Image = image
	}
	if err := operation.ValidateImage(image); err != nil {
		return op, err
	}
	if err := op.Spec.Validate(); request.Spec != nil && err != nil {
		return op, err
	}
	if state.record.Status == runtime.StatusRemoved {
		return op, state.rejectedError(request, "the game has been removed; start it with the new image instead")
	}
	isSameImage := image == state.record.CurrentImageRef
	isKept := !request.Pull && hasSameContainerSettings(op.Spec, state.spec()) && state.isOnNetwork(op.Spec.Network)
	if request.Spec == nil {
		isKept = !request.Pull && !request.Force && !state.hasImageMoved()
	}
	if isSameImage && isKept {
		return op, nil
	}
	if err := imageversion.CheckCompatible(state.record.CurrentImageRef, image); !isSameImage && err != nil && !request.Force {
		return op, state.rejectedError(request, err.Error()+"; force the patch to allow it")
	}
	op.Spec.Image = image
	op.Generation = state.nextGeneration()
	return op, nil
}

// spec returns the current spec of the game.
func (s gameState) spec() operation.Spec {
	spec := s.intent.Spec.Clone()
	if s.record != nil {
		// The record takes precedence: an adoption may be newer than the intent.
		spec.Image = cmp.Or(s.record.CurrentImageRef, spec.Image)
	}
	return spec
}

// isOnNetwork reports whether the game's container can serve a start that names the
// network. An empty one is the default of the node, which applies when a container is
// created: a running container is on it in any case, and so is any container
// of a game whose start named no network.
func (s gameState) isOnNetwork(network string) bool {
	switch {
	case network == s.intent.Spec.Network || s.record == nil:
		return true
	case network == "":
		return s.record.Status == runtime.StatusRunning
	default:
		return network == s.record.DockerNetwork
	}
}

// hasStaleSecrets reports whether the container would be started with other secrets than those
// of the game's spec. A container that runs is not started.
func (s gameState) hasStaleSecrets() bool {
	return s.container != container.StateRunning && s.secrets != s.containerSecrets
}

// hasImageMoved reports whether the image reference names another content than the one of the
// game's container.
func (s gameState) hasImageMoved() bool {
	return s.imageDigest != "" && s.containerDigest != "" && s.imageDigest != s.containerDigest
}

func (s gameState) nextGeneration() int64 {
	if s.record == nil {
		return 1
	}
	return s.record.Generation + 1
}

func (s gameState) rejectedError(request ports.OperationRequest, reason string) error {
	return &operation.RejectedError{GameID: request.GameID, Operation: string(request.Kind), Status: s.record.Status, Reason: reason}
}

// hasSameContainerSettings reports whether a container of one spec can serve the other.
// The specs may differ in the network, and in what hasSameOtherSettings compares.
func hasSameContainerSettings(a, b operation.Spec) bool {
	a, b = a.WithDefaults(), b.WithDefaults()
	return a.Image == b.Image && slices.Equal(a.Args, b.Args) && maps.Equal(a.Env, b.Env) && slices.Equal(a.Secrets, b.Secrets) &&
		a.Port == b.Port && a.ContainerPort == b.ContainerPort && slices.Equal(a.Ports, b.Ports) &&
		a.CPUs == b.CPUs && a.MemoryBytes == b.MemoryBytes && a.StopSignal == b.StopSignal
}

// hasSameOtherSettings reports whether the specs have the same health check, stop, crash
// and node-lost settings.
func hasSameOtherSettings(a, b operation.Spec) bool {
	a, b = a.WithDefaults(), b.WithDefaults()
	return a.HealthCheck().Equal(b.HealthCheck()) && a.HealthTimeout == b.HealthTimeout && a.StopGrace == b.StopGrace &&
		a.Crash == b.Crash && a.OnNodeLost == b.OnNodeLost && slices.Equal(a.Regions, b.Regions) &&
		a.Requests() == b.Requests() && a.Placement == b.Placement &&
		a.SpreadBy == b.SpreadBy && a.SpreadGroup == b.SpreadGroup &&
		maps.Equal(a.NodeSelector, b.NodeSelector) && slices.Equal(a.Tolerations, b.Tolerations)
}
