// Where scripts run, puts a live chart in the place of each drawn one. Where anything fails, the drawn ones stay.
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("vega").textContent), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
  for (const chart of document.querySelectorAll(".chart")) {
    const specification = JSON.parse(chart.querySelector("script").textContent);
    const live = document.createElement("div");
    live.className = "live";
    chart.append(live);
    chart.classList.add("is-live");
    try {
      // Expressions are interpreted: the page's policy forbids making code from text.
      await vegaEmbed(live, specification, { actions: false, renderer: "svg", ast: true });
    } catch (problem) {
      chart.classList.remove("is-live");
      live.remove();
    }
  }
})();
