// A plug-in for flot. Where each curve of a graph has a backend of its own, it has that backend's colour.
(function ($) {
    const colours = BACKEND_COLOURS;
    const backend = curve => (/\bbackend-(\w+)/.exec(curve.label) || [])[1];
    $.plot.plugins.push({
        name: "backends",
        version: "1",
        init: plot => plot.hooks.processRawData.push((_, curve) => {
            const backends = plot.getData().map(backend);
            if (new Set(backends).size === backends.length && colours[backend(curve)]) {
                curve.color = colours[backend(curve)];
            }
        }),
    });
})(jQuery);
