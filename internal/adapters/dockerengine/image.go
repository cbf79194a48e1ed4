package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
)

// EnsureImage implements ports.Engine. It returns container.ErrNoImage with the engine's
// message if the registry does not have the image or denies it, and
// container.ErrRegistryUnreachable if the registry does not respond or fails. It has no time
// limit while there is progress.
func (e *Engine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if err := e.ensureImage(ctx, image, progress); err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	return nil
}

func (e *Engine) ensureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	// The client would accept a path as a name.
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return asError(container.ErrNoImage, err)
	}
	if found, err := e.hasImage(ctx, image); err != nil || found {
		return err
	}
	if err := e.pull(ctx, image, progress); err != nil {
		return err
	}
	found, err := e.hasImage(ctx, image)
	if err == nil && !found {
		return fmt.Errorf("%w: the engine does not have it after a pull", container.ErrNoImage)
	}
	return err
}

// isSameImage reports whether the engine's name of an image means the requested one. An
// engine may return the full name of a short one. Podman names local images localhost/NAME.
func isSameImage(actual, requested string) bool {
	if actual == requested || actual == "localhost/"+requested {
		return true
	}
	a, err := reference.ParseNormalizedNamed(actual)
	if err != nil {
		return false
	}
	b, err := reference.ParseNormalizedNamed(requested)
	return err == nil && a.String() == b.String()
}

// HasImage implements ports.Engine.
func (e *Engine) HasImage(ctx context.Context, image string) (bool, error) {
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return false, nil //nolint:nilerr // no image has this name
	}
	return e.hasImage(ctx, image)
}

func (e *Engine) hasImage(ctx context.Context, image string) (bool, error) {
	digest, err := e.imageDigest(ctx, image)
	return digest != "", err
}

// ImageDigest implements ports.Engine. It is the id of the image.
func (e *Engine) ImageDigest(ctx context.Context, image string) (string, error) {
	if _, err := reference.ParseNormalizedNamed(image); err != nil {
		return "", nil //nolint:nilerr // no image has this name
	}
	return e.imageDigest(ctx, image)
}

func (e *Engine) imageDigest(ctx context.Context, image string) (string, error) {
	response, err := callWithTimeout(ctx, e.cfg.CallTimeout, "inspect image", func(ctx context.Context) (client.ImageInspectResult, error) {
		return e.api.ImageInspect(ctx, image)
	})
	switch {
	case errdefs.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", unavailable(err)
	case response.ID == "":
		return "", malformedResponse("it described no image in response to image %s", image)
	}
	return response.ID, nil
}

// PullImage implements ports.Engine, with the errors of EnsureImage.
func (e *Engine) PullImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	_, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		err = asError(container.ErrNoImage, err)
	} else {
		err = e.pull(ctx, image, progress)
	}
	if err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	return nil
}

// pull pulls the image. It bounds the time without progress, not the whole time: the
// duration of a pull is unknown.
func (e *Engine) pull(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	bounded, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(e.cfg.PullIdleTimeout, cancel)
	defer idle.Stop()
	err := e.readPull(bounded, image, func(p container.ImageProgress) {
		idle.Reset(e.cfg.PullIdleTimeout)
		if progress != nil {
			progress(p)
		}
	})
	switch {
	case err == nil || errors.Is(err, container.ErrNoImage) || errors.Is(err, container.ErrRegistryUnreachable):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("pull: %w", contextError(ctx, err))
	case bounded.Err() != nil:
		return malformedResponse("pull: no progress within %s", e.cfg.PullIdleTimeout)
	case isEngineError(err):
		return pullError(err)
	}
	return unavailable(err)
}

// pullError translates the reason why the engine could not pull an image. The engine
// reports errors of its connection to the registry only as text.
func pullError(err error) error {
	text := engineMessage(err)
	for _, part := range []string{
		"dial tcp", "no such host", "connection refused", "connection reset", "i/o timeout", "TLS handshake timeout", "network is unreachable",
		"no route to host", "server misbehaving", "Client.Timeout", "context deadline exceeded", "request canceled", "x509:", "unexpected EOF",
		"toomanyrequests", "Too Many Requests", "Bad Gateway", "Service Unavailable", "Gateway Timeout", "Internal Server Error",
	} {
		if strings.Contains(text, part) {
			return asError(container.ErrRegistryUnreachable, err)
		}
	}
	return asError(container.ErrNoImage, err)
}

// readPull pulls the image and reports each message of the engine.
func (e *Engine) readPull(ctx context.Context, image string, report func(container.ImageProgress)) error {
	auth, err := e.registryAuth(ctx, image)
	if err != nil {
		return err
	}
	pulling, err := e.api.ImagePull(ctx, image, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	progress := layerProgress{}
	for message, err := range pulling.JSONMessages(ctx) {
		if err != nil {
			return err
		}
		if message.Error != nil {
			return pullError(errors.New(message.Error.Message))
		}
		report(progress.update(message))
	}
	return nil
}
