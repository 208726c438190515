package chart

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Render gives the manifests of the chart in a folder for the release "shop" in the namespace "crm", and its notes. Values
// are YAML; what the schema refuses is an error that names them.
func Render(folder string, values []byte) (manifests []byte, notes string, err error) {
	c, err := loader.LoadDir(folder)
	if err != nil {
		return nil, "", err
	}
	var given map[string]any
	if err := yaml.Unmarshal(values, &given); err != nil {
		return nil, "", fmt.Errorf("values: %w", err)
	}
	options := common.ReleaseOptions{Name: "shop", Namespace: "crm", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, given, options, common.DefaultCapabilities)
	if err != nil {
		return nil, "", err
	}
	files, err := (engine.Engine{Strict: true}).Render(c, all)
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			notes = files[name]
			continue
		}
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", name, files[name])
	}
	return out.Bytes(), notes, nil
}
