// VitePress's own theme, with room for wide tables and charts.
import DefaultTheme from "vitepress/theme";
import "./style.css";

export default DefaultTheme;
