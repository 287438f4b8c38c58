// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Where the runtimes keep their state by default. Other data roots and
// rootless podman are not looked for: there, select by container id.
const (
	dockerContainers = "var/lib/docker/containers"
	podmanContainers = "var/lib/containers/storage/overlay-containers/containers.json"
)

// maxContainerNames bounds the cache of names.
const maxContainerNames = 4096

// containerNames reads the names of docker and podman containers from their
// state directories. A name is read once. Safe for concurrent use.
type containerNames struct {
	hostRoot string

	mu    sync.Mutex
	names map[string]string // by id
}

func newContainerNames(hostRoot string) *containerNames {
	return &containerNames{hostRoot: hostRoot, names: map[string]string{}}
}

var errNoContainerName = errors.New("container has no readable name")

// name returns what the system's runtime calls a container. It speaks of none that
// others named, or made up.
func (n *containerNames) name(c container) (string, error) {
	if c.claimed {
		return "", errNoContainerName
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.names[c.id]; ok {
		return name, nil
	}
	name, err := n.read(c)
	if err != nil {
		return "", fmt.Errorf("name of container %s: %w", c.id, err)
	}
	if len(n.names) >= maxContainerNames {
		clear(n.names)
	}
	n.names[c.id] = name
	return name, nil
}

func (n *containerNames) read(c container) (string, error) {
	switch c.runtime {
	case "docker":
		return n.readDocker(c.id)
	case "podman":
		return n.readPodman(c.id)
	default:
		return "", errNoContainerName
	}
}

func (n *containerNames) readDocker(id string) (string, error) {
	data, err := os.ReadFile(filepath.Join(n.hostRoot, dockerContainers, id, "config.v2.json"))
	if err != nil {
		return "", err
	}
	var config struct{ Name string }
	if err := json.Unmarshal(data, &config); err != nil {
		return "", err
	}
	if config.Name == "" {
		return "", errNoContainerName
	}
	return strings.TrimPrefix(config.Name, "/"), nil
}

func (n *containerNames) readPodman(id string) (string, error) {
	data, err := os.ReadFile(filepath.Join(n.hostRoot, podmanContainers))
	if err != nil {
		return "", err
	}
	var list []struct {
		ID    string   `json:"id"`
		Names []string `json:"names"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return "", err
	}
	for _, c := range list {
		if c.ID == id && len(c.Names) > 0 {
			return c.Names[0], nil
		}
	}
	return "", errNoContainerName
}
