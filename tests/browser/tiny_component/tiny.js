// The least that a component of Streamlit's first kind has to say.
function say(type, told) {
  window.parent.postMessage({ isStreamlitMessage: true, type: `streamlit:${type}`, ...told }, "*");
}
document.getElementById("press").onclick = () =>
  say("setComponentValue", { value: "pressed", dataType: "json" });
say("componentReady", { apiVersion: 1 });
say("setFrameHeight", { height: 40 });
