package lifecycle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// situation is what a request meets.
type situation struct {
	record *runtime.RuntimeRecord // nil where there is none
	intent operation.Intent
	// container is what the record's container does, empty where the engine has none.
	container container.State
}

// plan decides what a request comes to: the operation's kind, spec and
// generation. It is pure. It refuses with *runtime.InvalidError,
// *runtime.RefusedError or runtime.ErrNotFound.
func plan(request ports.OperationRequest, now situation) (operation.Operation, error) {
	op := operation.Operation{Kind: request.Kind, Spec: now.spec()}
	if request.Kind != operation.KindStart && now.record == nil {
		return op, fmt.Errorf("%s: %w", request.Kind, runtime.ErrNotFound)
	}
	switch request.Kind {
	case operation.KindStart:
		return planStart(op, request, now)
	case operation.KindPatch:
		return planPatch(op, request, now)
	case operation.KindCleanup:
		if now.record.Status == runtime.StatusRunning {
			return op, now.refuse(request, "it is running; stop it first")
		}
		if now.record.Status == runtime.StatusStopped && now.container == container.StateRunning {
			return op, now.refuse(request, "its container runs, although the record says that it is stopped; stop it first")
		}
		return op, nil
	case operation.KindStop:
		if now.record.Status == runtime.StatusRemoved {
			return op, now.refuse(request, "it has been removed, and there is nothing to stop")
		}
		return op, nil
	default: // restart
		if now.record.Status == runtime.StatusRemoved {
			return op, now.refuse(request, "it has been removed; start it instead")
		}
		return op, nil
	}
}

func planStart(op operation.Operation, request ports.OperationRequest, now situation) (operation.Operation, error) {
	if request.Spec != nil {
		op.Spec = request.Spec.Clone()
		op.Spec.Image = cmp.Or(op.Spec.Image, now.spec().Image)
	}
	if err := op.Spec.Validate(); err != nil {
		return op, err
	}
	same := sameContainer(op.Spec, now.spec())
	if now.record != nil && now.record.Status == runtime.StatusRunning && request.Spec != nil && (!same || !sameSettings(op.Spec, now.spec())) {
		return op, now.refuse(request, "it is running with other settings; stop it first, or patch it to change the image")
	}
	if now.record == nil || now.record.Status == runtime.StatusRemoved || now.container == "" || !same {
		op.Generation = now.nextGeneration()
	}
	return op, nil
}

func planPatch(op operation.Operation, request ports.OperationRequest, now situation) (operation.Operation, error) {
	if err := operation.ValidateImage(request.Image); err != nil {
		return op, err
	}
	if now.record.Status == runtime.StatusRemoved {
		return op, now.refuse(request, "it has been removed; start it with the new image instead")
	}
	if request.Image == now.record.CurrentImageRef {
		return op, nil
	}
	if err := compatible(now.record.CurrentImageRef, request.Image); err != nil && !request.Force {
		return op, now.refuse(request, err.Error()+"; force it if that is what you want")
	}
	op.Spec.Image = request.Image
	op.Generation = now.nextGeneration()
	return op, nil
}

// spec is what the game is run as now, as far as anybody knows.
func (now situation) spec() operation.Spec {
	spec := now.intent.Spec.Clone()
	if now.record != nil {
		// What runs is told by the record: the intent may be older than an adoption.
		spec.Image = cmp.Or(now.record.CurrentImageRef, spec.Image)
		spec.Network = cmp.Or(spec.Network, now.record.DockerNetwork)
	}
	return spec
}

func (now situation) nextGeneration() int64 {
	if now.record == nil {
		return 1
	}
	return now.record.Generation + 1
}

func (now situation) refuse(request ports.OperationRequest, reason string) error {
	return &operation.RefusedError{GameID: request.GameID, Operation: string(request.Kind), Status: now.record.Status, Reason: reason}
}

// sameContainer reports whether a container of the one spec can serve the other:
// they differ at most in how the game is looked after.
func sameContainer(a, b operation.Spec) bool {
	a, b = a.WithDefaults(), b.WithDefaults()
	return a.Image == b.Image && slices.Equal(a.Args, b.Args) && maps.Equal(a.Env, b.Env) &&
		(a.Network == b.Network || a.Network == "") && a.Port == b.Port && a.ContainerPort == b.ContainerPort &&
		a.CPUs == b.CPUs && a.MemoryBytes == b.MemoryBytes
}

func sameSettings(a, b operation.Spec) bool {
	a, b = a.WithDefaults(), b.WithDefaults()
	return a.HealthPath == b.HealthPath && a.HealthTimeout == b.HealthTimeout && a.StopGrace == b.StopGrace &&
		a.Crash == b.Crash && a.OnNodeLost == b.OnNodeLost
}

// compatible says why an image is not a patch of another: only the last part of
// the version may differ.
func compatible(from, to string) error {
	oldName, oldVersion := splitImage(from)
	newName, newVersion := splitImage(to)
	switch {
	case oldName != newName:
		return fmt.Errorf("%s is another image than %s", to, from)
	case !semver.IsValid(oldVersion) || !semver.IsValid(newVersion):
		return fmt.Errorf("%s and %s do not both end in a version such as :1.2.3, so nobody can tell how far apart they are", from, to)
	case semver.MajorMinor(oldVersion) != semver.MajorMinor(newVersion):
		return fmt.Errorf("%s is another major or minor version than %s", to, from)
	}
	return nil
}

// splitImage parts an image reference into its name and its version as semver
// wants it, v1.2.3.
func splitImage(image string) (name, version string) {
	name, _, _ = strings.Cut(image, "@")
	at := strings.LastIndexByte(name, ':')
	if at < 0 || strings.Contains(name[at:], "/") { // the colon of a registry's port
		return name, ""
	}
	return name[:at], "v" + strings.TrimPrefix(name[at+1:], "v")
}
